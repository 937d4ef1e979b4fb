"""HTTP to a server's REST interface: the token, problems as errors of ours, and streams that go on where they broke off.

Sources: RFC 9457 (problems), WHATWG HTML, 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from conductor.errors import (
    ConductorError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnreachableError,
    UsageError,
)

API = "/api/v1"
ANSWER_SECONDS = 30.0
SILENCE_SECONDS = 45.0
"""A stream that says nothing for so long, not even that it is alive, is begun again."""
GIVE_UP_SECONDS = 60.0
"""For so long a stream that broke off is begun again and again."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
_BAD, _BUSY, _BROKEN = 400, 429, 500


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a stream."""

    id: str
    kind: str
    data: str


class Client:
    """Speaks to one server. Make it with `connected`."""

    def __init__(self, server: str, http: httpx2.AsyncClient) -> None:
        self.server = server
        self._http = http

    async def get(self, path: str, *, patient: bool = False, **parameters: object) -> Any:
        """Ask. Parameters that are None are left out. `patient`: a server that is away is waited for."""
        began, tries = time.monotonic(), 0
        while True:
            try:
                return await self._ask("GET", path, parameters=parameters)
            except UnreachableError:
                if not patient or time.monotonic() - began > GIVE_UP_SECONDS:
                    raise
            await asyncio.sleep(_pause(tries))
            tries += 1

    async def post(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        key: str = "",
        within: float = ANSWER_SECONDS,
        **parameters: object,
    ) -> Any:
        """Have something done, which takes so many seconds at most. With `key` the same request, sent again, is done once."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._ask("POST", path, parameters=parameters, headers=headers, within=within, json=body)

    async def delete(self, path: str, *, within: float = ANSWER_SECONDS, **parameters: object) -> Any:
        """Have something removed."""
        return await self._ask("DELETE", path, parameters=parameters, within=within)

    async def upload(self, path: str, /, content: bytes, **parameters: object) -> Any:
        """Put a file there."""
        headers = {"Content-Type": "application/octet-stream"}
        return await self._ask("PUT", path, parameters=parameters, headers=headers, content=content)

    async def download(self, path: str, /, **parameters: object) -> bytes:
        """Fetch a file."""
        return (await self._answer("GET", path, parameters=parameters)).content

    async def lines(self, path: str, **parameters: object) -> AsyncIterator[str]:
        """Yield the lines of a long text as they come."""
        try:
            async with self._reading(path, parameters, {}) as response:
                async for line in response.aiter_lines():
                    if line:
                        yield line
        except httpx2.HTTPError as error:
            raise self._away(error) from error

    async def stream(self, path: str, *, last: str = "", **parameters: object) -> AsyncIterator[Told]:
        """Yield the events of a stream until the server ends it, going on after the last one where it broke off.

        UnreachableError where it stays broken. Whether what it tells of is at its end is the caller's to ask.
        """
        tries, since = 0, time.monotonic()
        while True:
            try:
                async with self._reading(path, parameters, _from(last)) as response:
                    async for told in _events(response.aiter_lines()):
                        tries, since = 0, time.monotonic()
                        last = told.id or last
                        yield told
            except (httpx2.HTTPError, UnreachableError) as error:
                if time.monotonic() - since > GIVE_UP_SECONDS:
                    raise self._away(error) from error
                await asyncio.sleep(_pause(tries))
                tries += 1
            else:
                return

    @asynccontextmanager
    async def _reading(
        self, path: str, parameters: Mapping[str, object], headers: Mapping[str, str]
    ) -> AsyncIterator[httpx2.Response]:
        patience = httpx2.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
        asked = self._http.build_request(
            "GET", API + path, params=_given(parameters), headers=dict(headers), timeout=patience
        )
        told = await self._http.send(asked, stream=True)
        try:
            if told.status_code >= _BAD:
                await told.aread()
                raise self._problem(told)
            yield told
        finally:
            await told.aclose()

    async def _ask(
        self,
        verb: str,
        path: str,
        *,
        parameters: Mapping[str, object] | None = None,
        within: float = ANSWER_SECONDS,
        **sent: Any,
    ) -> Any:
        answer = await self._answer(verb, path, parameters=parameters, within=within, **sent)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise UnreachableError(
                f"{self.server} answers with something else than Conductor does",
                remedy="See that this is the address of a Conductor server.",
            ) from error

    async def _answer(
        self,
        verb: str,
        path: str,
        *,
        parameters: Mapping[str, object] | None = None,
        within: float = ANSWER_SECONDS,
        **sent: Any,
    ) -> httpx2.Response:
        patience = httpx2.Timeout(ANSWER_SECONDS, read=within)
        try:
            answer = await self._http.request(
                verb, API + path, params=_given(parameters or {}), timeout=patience, **sent
            )
        except httpx2.HTTPError as error:
            raise self._away(error) from error
        if answer.status_code >= _BAD:
            raise self._problem(answer)
        return answer

    def _away(self, error: Exception) -> UnreachableError:
        return UnreachableError(
            f"{self.server} does not answer: {error or type(error).__name__}",
            remedy="See that the address is right and that `conductor serve` runs there.",
        )

    def _problem(self, answer: httpx2.Response) -> ConductorError:
        told = _problem_of(answer)
        detail = str(told.get("detail") or told.get("title") or f"it answered {answer.status_code}")
        remedy = str(told.get("remedy") or "")
        match answer.status_code:
            case 401:
                return UsageError(
                    f"{self.server} does not take the token: {detail}",
                    remedy=f"`conductor login {self.server}` asks for another.",
                )
            case 403:
                return RefusedError(
                    detail, remedy=remedy or "The token's role or repositories do not reach so far."
                )
            case 404:
                return NotFoundError(detail, remedy=remedy)
            case 409:
                return ConflictError(detail, remedy=remedy)
            case status if status == _BUSY or status >= _BROKEN:
                return UnreachableError(f"{self.server}: {detail}", remedy=remedy or "Try again later.")
            case _:
                return UsageError(detail, remedy=remedy)


@asynccontextmanager
async def connected(server: str, token: str | None) -> AsyncIterator[Client]:
    """Give a client of a server; nothing is sent before it is asked something."""
    headers = {"Accept": "application/json", "User-Agent": "conductor"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=server, headers=headers, timeout=ANSWER_SECONDS) as http:
        yield Client(server, http)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    """Read a stream of server-sent events; comments, which say that it is alive, are skipped."""
    last, kind, data = "", "message", list[str]()
    async for line in lines:
        if not line:
            if data:
                yield Told(last, kind, "\n".join(data))
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                last = value
            case "event":
                kind = value
            case "data":
                data.append(value)


def _from(last: str) -> dict[str, str]:
    return {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})


def _pause(tries: int) -> float:
    return _PAUSES[min(tries, len(_PAUSES) - 1)]


def _given(parameters: Mapping[str, object]) -> dict[str, list[str]]:
    """Write parameters; one with several values is there several times."""
    made: dict[str, list[str]] = {}
    for name, value in parameters.items():
        several = value if isinstance(value, tuple) else () if value is None else (value,)
        if several:
            made[name] = [str(one).lower() if isinstance(one, bool) else str(one) for one in several]
    return made


def _problem_of(answer: httpx2.Response) -> Mapping[str, object]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
