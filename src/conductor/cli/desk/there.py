"""A server's records, over its REST interface. What it sends are values of the domain, and are checked as such before they are shown."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from conductor.cli.desk import tokens
from conductor.cli.desk.client import Client, connected
from conductor.cli.desk.environments_there import EnvironmentsThere
from conductor.cli.desk.issues import IssuesThere
from conductor.cli.desk.reading import read, read_json
from conductor.domain.event import Event, StepRecord
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import BuiltImage, LogLine, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.states import WorkloadState
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import NotFoundError, UsageError
from conductor.operations import runs, stacks
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.operations.start_run import RunRequest
from conductor.ports.store import RunRow

PAGE = 100
END = "end"


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
        self.issues = IssuesThere(client)
        self.environments = EnvironmentsThere(client)

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
            found += read(list[RunRow], page["items"])
            if (cursor := page.get("next")) is None:
                break
        return found[:limit]

    async def interrupted(self, rows: Iterable[RunRow]) -> frozenset[str]:
        """Return those that the server says are: its replicas take over what has lost its process."""
        return frozenset(row.run.id for row in rows if row.status is Status.INTERRUPTED)

    async def find(self, name: str | None) -> RunRow:
        """Return a run by its id or the beginning of it."""
        return await self._row(await self._named(name))

    async def show(self, name: str | None) -> RunView:
        """Return a run, whole."""
        run = await self._named(name)
        detail = read(RunDetail, await self._client.get(_run(run)))
        return RunView(
            row=detail.row,
            steps=detail.steps,
            results=detail.results,
            images=detail.images,
            report=await self.find_report(run) if detail.row.status is Status.ENDED else None,
        )

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
        last: datetime | None = None
        if not follow or tail is not None:
            async for text in self._client.lines(path, workload=workload, tail=tail, format="json"):
                line = read_json(LogLine, text)
                last = max(last or line.at, line.at)
                yield line
        if follow:
            async for told in self._followed(run, f"{path}/stream", workload=workload):
                for line in read_json(list[LogLine], told):
                    if last is None or line.at > last:
                        yield line

    async def events(self, name: str | None, *, after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """Yield what happened after that number; with `follow` as it comes, until the run has ended."""
        row = await self._row(await self._named(name))
        path = f"{_run(row.run.id)}/events"
        if follow:
            place, is_over = (
                str(after) if after else "",
                False,
            )  # what comes after the end is the server's own
            async for told in self._followed(row.run.id, f"{path}/stream", last=place):
                event = read_json(Event, told)
                if not is_over:
                    yield event
                is_over = is_over or runs.ends_for_good(event, row.run.attempt)
            return
        async for page in self._pages(path):
            for event in read(list[Event], page):
                if event.seq > after:
                    yield event

    async def report(self, name: str | None) -> Report:
        """Return the report of a run."""
        path = f"{_run(await self._named(name))}/report"
        return read(Report, await self._client.get(path, format="record"))

    async def find_report(self, name: str) -> Report | None:
        """Return it; None while there is none."""
        try:
            return await self.report(name)
        except NotFoundError:
            return None

    async def stacks(self) -> Sequence[StackView]:
        """Return what stands and the token reaches, first to end first."""
        found = read(list[Stack], (await self._client.get("/stacks"))["items"])
        return sorted((_view(stack) for stack in found), key=stacks.by_end)

    async def extend(self, name: str, *, by: timedelta) -> Lease:
        """Let a stack stand longer."""
        return await self._change(name, "extend", by_seconds=int(by.total_seconds()))

    async def pin(self, name: str) -> Lease:
        """Keep a stack until it is released."""
        return await self._change(name, "pin")

    async def release(self, name: str, *, keep_for: timedelta) -> Lease:
        """Give a pinned stack an end again."""
        return await self._change(name, "release", keep_for_seconds=int(keep_for.total_seconds()))

    async def sleep(self, name: str) -> Lease:
        """Stop everything in a stack and keep what it holds."""
        return await self._change(name, "sleep")

    async def wake(self, name: str) -> Lease:
        """Start a sleeping stack again."""
        return await self._change(name, "wake")

    async def delete(self, name: str) -> int:
        """Remove a stack."""
        return int((await self._client.delete(await self._stack(name)))["things"])

    async def start(self, asked: RunRequest) -> RunRow:
        """Have a run started. The same request, where its answer was lost, starts no second one."""
        if asked.ref is None:
            raise UsageError("a server runs a tag, a branch or a commit", remedy="Say which: --ref REF.")
        body = {
            "repository": asked.location,
            "ref": asked.ref,
            "environment": asked.environment,
            "cleanup": asked.cleanup,
            "keep_for_seconds": int(asked.keep_for.total_seconds()) if asked.keep_for else None,
            "variables": dict(asked.variables),
        }
        given = {name: value for name, value in body.items() if value not in (None, {})}
        return await self.find((await self._client.post("/runs", given, key=_key()))["run"])

    async def rerun(self, name: str | None, *, failed_only: bool, stage: str) -> RunRow:
        """Have a run's tests run again."""
        path = f"{_run(await self._named(name))}/rerun"
        body = {"failed_only": failed_only, "from_stage": stage}
        return await self.find((await self._client.post(path, body, key=_key()))["run"])

    async def cancel(self, name: str) -> Outcome:
        """Have a run stopped for good, and return how it ended."""
        begun = await self._client.post(f"{_run(name)}/cancel", {})
        return await self.ending(begun["run"])

    async def ending(self, run: str) -> Outcome:
        """Wait until a run has ended, and return how. A server that is away for a while is waited for."""
        last = 0
        while True:
            row = await self._row(run)
            if row.status is Status.ENDED and row.outcome:
                return row.outcome
            async for event in self.events(run, after=last, follow=True):
                last = event.seq

    async def last_event(self, run: Run) -> int:
        """Return the number of the last event before this attempt: what comes after it is the attempt's own."""
        last = 0
        async for event in self.events(run.id):
            if event.key == f"{run.attempt}/requested":
                break
            last = event.seq
        return last

    async def queue(self) -> Queue:
        """Return what waits and what is at work."""
        return read(Queue, await self._client.get("/queue"))

    async def _pages(self, path: str) -> AsyncIterator[list[Any]]:
        cursor: str | None = None
        while True:
            page = await self._client.get(path, limit=PAGE, cursor=cursor)
            yield page["items"]
            if (cursor := page.get("next")) is None:
                return

    async def _row(self, run: str) -> RunRow:
        return read(RunDetail, await self._client.get(_run(run), patient=True)).row

    async def _followed(
        self, run: str, path: str, *, last: str = "", **parameters: object
    ) -> AsyncIterator[str]:
        """Yield the data of a stream until its run has ended; a server that goes away in between is come back to."""
        while True:
            has_ended = (await self._row(run)).status is Status.ENDED
            async for told in self._client.stream(path, last=last, **parameters):
                last = told.id or last
                if told.kind != END:
                    yield told.data
            if has_ended:
                return

    async def _stack(self, name: str) -> str:
        """Return the path of a stack; names are found by their beginnings here."""
        info = stacks.named([view.info for view in await self.stacks()], name)
        return f"/stacks/{_part(info.name)}"

    async def _change(self, name: str, verb: str, **body: object) -> Lease:
        return read(Lease, await self._client.post(f"{await self._stack(name)}/{verb}", body))

    async def _named(self, name: str | None) -> str:
        if name is not None:
            return name
        rows = await self.list_runs(limit=1)
        if not rows:
            raise NotFoundError("there are no runs yet", remedy="`conductor run REPOSITORY` starts one.")
        return rows[0].run.id


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetail:
    """One attempt of a run, as the server tells it."""

    row: RunRow
    steps: tuple[StepRecord, ...]
    results: tuple[SuiteResult, ...]
    images: tuple[BuiltImage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """What stands, as the server tells it."""

    namespace: str
    run: str
    lease: Lease | None
    addresses: tuple[str, ...]
    services: dict[str, WorkloadState]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Where a run stands in the queue. `position` 0: it is at work."""

    run: str
    attempt: int
    repository: str
    branch: str
    position: int
    reason: str
    estimate: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """The queue, as far as the token reaches; `others` are counted."""

    draining: bool
    active: tuple[Waiting, ...]
    waiting: tuple[Waiting, ...]
    others: int


def _view(stack: Stack) -> StackView:
    info = NamespaceInfo(name=stack.namespace, run=stack.run, lease=stack.lease, addresses=stack.addresses)
    return StackView(info=info, lease=stack.lease, services=stack.services)


def _key() -> str:
    return secrets.token_hex(16)


def _run(name: str) -> str:
    return f"/runs/{_part(name)}"


def _part(name: str) -> str:
    return quote(name, safe="")
