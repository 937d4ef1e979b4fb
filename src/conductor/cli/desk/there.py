"""A server's records, over its REST interface. What it sends are values of the domain, and are checked as such before they are shown."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from conductor.cli.desk import tokens
from conductor.cli.desk.client import Client, connected
from conductor.domain.event import Event
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine, Report
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import NotFoundError, UnreachableError, UsageError
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.operations.start_run import RunRequest
from conductor.ports.store import RunRow

PAGE = 100
T = TypeVar("T")


@asynccontextmanager
async def desk_at(server: str) -> AsyncIterator[DeskThere]:
    """Give the desk of a server, with the token that was kept for it. UsageError where nobody has logged in."""
    address = tokens.address_of(server)
    token = tokens.find(address)
    if token is None:
        raise UsageError(f"nobody has logged in to {address}", remedy=f"`conductor login {address}`")
    async with connected(address, token) as client:
        yield DeskThere(client)


class DeskThere:
    """Answers by asking a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    async def list_runs(
        self, *, repository: str | None = None, verdict: Verdict | None = None, limit: int = 50
    ) -> Sequence[RunRow]:
        """Return runs, latest first, page by page."""
        found: list[RunRow] = []
        cursor: str | None = None
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await self._client.get(
                "/runs", repository=repository, verdict=verdict, limit=size, cursor=cursor
            )
            found += _read(list[RunRow], page["items"])
            if (cursor := page.get("next")) is None:
                break
        return found[:limit]

    async def interrupted(self, rows: Iterable[RunRow]) -> frozenset[str]:
        """Return those that the server says are: its replicas take over what has lost its process."""
        return frozenset(row.run.id for row in rows if row.status is Status.INTERRUPTED)

    async def find(self, name: str | None) -> RunRow:
        """Return a run by its id or the beginning of it."""
        return (await self.show(name)).row

    async def show(self, name: str | None) -> RunView:
        """Return a run, whole."""
        return _read(RunView, await self._client.get(_run(await self._named(name))))

    async def logs(
        self,
        name: str | None,
        *,
        workload: str | None = None,
        follow: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """Yield what containers and builds wrote; with `follow` as it comes, until the run has ended."""
        run = await self._named(name)
        path = f"{_run(run)}/logs"
        if not follow:
            for line in _read(
                list[LogLine], (await self._client.get(path, workload=workload, tail=tail))["items"]
            ):
                yield line
            return
        async for told in self._followed(run, path, workload=workload, tail=tail):
            yield _read_json(LogLine, told)

    async def events(self, name: str | None, *, after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """Yield what happened after that number; with `follow` as it comes, until the run has ended."""
        run = await self._named(name)
        path = f"{_run(run)}/events"
        if follow:
            async for told in self._followed(run, path, after=after):
                yield _read_json(Event, told)
            return
        while batch := _read(list[Event], (await self._client.get(path, after=after, limit=PAGE))["items"]):
            for event in batch:
                yield event
            after = batch[-1].seq

    async def report(self, name: str | None) -> Report:
        """Return the report of a run."""
        return _read(Report, await self._client.get(f"{_run(await self._named(name))}/report"))

    async def stacks(self) -> Sequence[StackView]:
        """Return what stands and the token reaches."""
        return _read(list[StackView], (await self._client.get("/stacks"))["items"])

    async def extend(self, name: str, *, by: timedelta) -> Lease:
        """Let a stack stand longer."""
        path = f"/stacks/{_part(name)}/extend"
        return _read(Lease, await self._client.post(path, {"by": by.total_seconds()}))

    async def delete(self, name: str) -> int:
        """Remove a stack."""
        return int((await self._client.delete(f"/stacks/{_part(name)}"))["removed"])

    async def start(self, asked: RunRequest) -> RunRow:
        """Have a run started. The same request, where its answer was lost, starts no second one."""
        body = {
            "repository": asked.location,
            "ref": asked.ref,
            "environment": asked.environment,
            "cleanup": asked.cleanup,
            "keep_for": asked.keep_for.total_seconds() if asked.keep_for else None,
            "variables": dict(asked.variables),
        }
        given = {name: value for name, value in body.items() if value not in (None, {})}
        return _read(RunRow, await self._client.post("/runs", given, key=secrets.token_hex(16)))

    async def rerun(self, name: str | None, *, failed_only: bool, stage: str) -> RunRow:
        """Have a run's tests run again."""
        path = f"{_run(await self._named(name))}/rerun"
        body = {"failed_only": failed_only, "from_stage": stage}
        return _read(RunRow, await self._client.post(path, body, key=secrets.token_hex(16)))

    async def cancel(self, name: str) -> Outcome:
        """Have a run stopped for good, and return how it ended."""
        row = _read(RunRow, await self._client.post(f"{_run(name)}/cancel", {}))
        return row.outcome or await self.ending(row.run.id)

    async def ending(self, run: str) -> Outcome:
        """Wait until a run has ended, and return how."""
        while (row := await self.find(run)).outcome is None:
            async for _ in self.events(run, follow=True):
                pass
        return row.outcome

    async def last_event(self, run: Run) -> int:
        """Return the number of the last event before this attempt: what comes after it is the attempt's own."""
        last = 0
        async for event in self.events(run.id):
            if event.key == f"{run.attempt}/requested":
                break
            last = event.seq
        return last

    async def queue(self) -> Sequence[Mapping[str, Any]]:
        """Return what waits and what is at work, as the server tells it."""
        return _read(list[dict[str, Any]], (await self._client.get("/queue"))["items"])

    async def _followed(self, run: str, path: str, **parameters: object) -> AsyncIterator[str]:
        """Yield the data of a stream until its run has ended; a server that goes away in between is come back to."""
        last = ""
        while True:
            ended = (await self.find(run)).status is Status.ENDED
            async for told in self._client.stream(path, last=last, **parameters):
                last = told.id or last
                if told.kind != "end":
                    yield told.data
            if ended:
                return

    async def _named(self, name: str | None) -> str:
        if name is not None:
            return name
        rows = await self.list_runs(limit=1)
        if not rows:
            raise NotFoundError("there are no runs yet", remedy="`conductor run REPOSITORY` starts one.")
        return rows[0].run.id


def _run(name: str) -> str:
    return f"/runs/{_part(name)}"


def _part(name: str) -> str:
    return quote(name, safe="")


def _read(kind: type[T], value: object) -> T:
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        raise _strange(error) from error


def _read_json(kind: type[T], text: str) -> T:
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise _strange(error) from error


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what checks a kind of value: made once, since a long log is read line by line."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _strange(error: ValidationError) -> UnreachableError:
    first = error.errors(include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return UnreachableError(
        f"the server's answer is not understood: {where}: {first['msg']}",
        remedy="The server and this command are of different versions: install the server's.",
    )
