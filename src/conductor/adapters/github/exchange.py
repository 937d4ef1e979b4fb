"""One question to GitHub and its answer: repetitions, limits, and answers that are still good.

Laws. Every question ends. What bears repetition is asked again where GitHub stumbles (5xx, no answer); what would make a second thing is
not: whoever made it looks for it first. Where GitHub says to wait, nothing more is asked with that credential until then. No error holds
a header or a body of ours. Sources: docs.github.com, "Rate limits for the REST API", "Best practices for using the REST API".
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from conductor.adapters.github.problems import is_limit, refusal, unreachable
from conductor.errors import UnreachableError

Sleep = Callable[[float], Awaitable[None]]
Now = Callable[[], datetime]

PAUSES = (0.5, 2.0)
"""Seconds before a question is asked again."""
SHORT_WAIT = timedelta(seconds=10)
"""So long a wait that GitHub asks for is waited here; longer ones are left to whoever asks again later."""
MOST_MOVES = 4
"""So often an answer may lead on; further it is refused as it stands."""
MOST_PAGES = 30
_PER_PAGE = 100
_KEPT_ANSWERS = 500
_KEPT_BYTES = 256 * 1024
_MOST_BYTES = 32 * 1024**2
_WHOLE_SECONDS = 120.0
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_MOVED = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
"""What was asked is to be asked there, method and all (docs.github.com, "Best practices for using the REST API")."""
_REPEATABLE = frozenset({"GET", "PATCH", "PUT", "DELETE"})
_HEADERS = {
    "Accept": "application/vnd.github+json, application/json;q=0.9",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "conductor",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What GitHub said."""

    what: str
    """The question: method and path."""
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")
    at: str = ""
    """Where it was answered at last, where GitHub led somewhere else; of a renamed repository the address has its number."""

    @property
    def ok(self) -> bool:
        """Tell whether it did what was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def data(self) -> Any:
        """Read the body; UnreachableError where something else than GitHub answered."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnreachableError(
                f"{self.what}: the answer is no JSON",
                remedy="See whether CONDUCTOR_GITHUB_URL names GitHub itself, and no other server before it.",
            ) from None

    @property
    def next(self) -> str | None:
        """The address of the next page."""
        found = _NEXT.search(self.headers.get("Link", ""))
        return found[1] if found else None


class Exchange:
    """Asks one GitHub. It has the connections, the answers that may still be good, and who has to wait until when."""

    def __init__(
        self,
        api: str,
        *,
        sleep: Sleep = asyncio.sleep,
        now: Now = lambda: datetime.now(UTC),
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = api.rstrip("/")
        self._sleep = sleep
        self.now = now
        self._kept: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._closed: dict[str, datetime] = {}
        self._http = httpx2.AsyncClient(
            verify=_trust(),
            timeout=httpx2.Timeout(30.0, pool=60.0),
            follow_redirects=False,
            headers=_HEADERS,
            transport=transport,
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        authorization: str,
        who: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        repeat: bool | None = None,
    ) -> Answer:
        """Ask, and ask the same where GitHub leads to; any answer but a limit or a stumble is returned, refusals too.

        `who` names the credential, for limits and kept answers.
        """
        led = ""
        for _ in range(MOST_MOVES):
            answer = await self._answered(
                method, led or path, authorization, who, params, data, repeat=repeat
            )
            location = answer.headers.get("Location", "") if answer.status in _MOVED else ""
            if not self.is_own(location):
                return replace(answer, at=led) if led else answer
            led, params = location, None if urlsplit(location).query else params
        return answer

    async def _answered(  # noqa: PLR0917 -- what `ask` was asked
        self,
        method: str,
        path: str,
        authorization: str,
        who: str,
        params: Mapping[str, str] | None,
        data: Mapping[str, Any] | None,
        *,
        repeat: bool | None,
    ) -> Answer:
        what = f"{method} {urlsplit(path).path}"
        again = method in _REPEATABLE if repeat is None else repeat
        pauses = iter(PAUSES if again else ())
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):
                while True:
                    await self._open(who, what)
                    request = self._made(method, path, authorization, params, data)
                    answer = await self._once(request, what, (who, str(request.url)))
                    if isinstance(answer, Answer) and is_limit(answer.status, answer.headers, answer.body):
                        self._close(who, answer)
                        continue
                    if isinstance(answer, Answer) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                        return answer
                    if (pause := next(pauses, None)) is None:
                        raise answer if isinstance(answer, UnreachableError) else refusal(answer)
                    await self._sleep(pause)
        except TimeoutError:
            raise unreachable(what, f"no answer within {_WHOLE_SECONDS:.0f} s") from None

    def _made(
        self,
        method: str,
        path: str,
        authorization: str,
        params: Mapping[str, str] | None,
        data: Mapping[str, Any] | None,
    ) -> httpx2.Request:
        url = path if "://" in path else f"{self._api}{path}"
        headers = {"Authorization": authorization} if authorization else {}
        try:
            return self._http.build_request(method, url, headers=headers, params=params, json=data)
        except httpx2.InvalidURL as error:
            raise unreachable(f"{method} {path[:200]}", str(error)) from None

    async def _open(self, who: str, what: str) -> None:
        """Wait until GitHub listens to that credential again, where that is soon."""
        until = self._closed.get(who)
        if until is None:
            return
        left = until - self.now()
        if left > SHORT_WAIT:
            raise UnreachableError(
                f"{what}: GitHub's limit is reached; it listens again at {until:%H:%M:%S} UTC",
                remedy="Nothing is lost: it is tried again then. A GitHub App has higher limits than a token.",
                retry_after=left,
            )
        if left > timedelta(0):
            await self._sleep(left.total_seconds())
        self._closed.pop(who, None)

    def _close(self, who: str, answer: Answer) -> None:
        self._closed[who] = self.now() + _asked_wait(answer, self.now())

    async def _once(
        self, request: httpx2.Request, what: str, key: tuple[str, str]
    ) -> Answer | UnreachableError:
        """Send it, with what is needed to be told that a kept answer is still good."""
        kept = self._kept.get(key) if request.method == "GET" else None
        if kept:
            request.headers["If-None-Match"] = kept.headers["ETag"]
        try:
            answer = await self._sent(request, what)
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            return unreachable(what, str(error) or type(error).__name__)
        if answer.status == HTTPStatus.NOT_MODIFIED and kept:
            return kept
        if request.method == "GET":
            self._keep(key, answer)
        return answer

    async def _sent(self, request: httpx2.Request, what: str) -> Answer:
        response = await self._http.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise unreachable(what, f"the answer has more than {_MOST_BYTES} bytes")
        finally:
            await response.aclose()
        return Answer(what=what, status=response.status_code, headers=response.headers, body=bytes(body))

    def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        self._kept.pop(key, None)
        if answer.status == HTTPStatus.OK and answer.headers.get("ETag") and len(answer.body) <= _KEPT_BYTES:
            self._kept[key] = answer
        while len(self._kept) > _KEPT_ANSWERS:
            self._kept.popitem(last=False)

    def is_own(self, url: str) -> bool:
        """Tell whether an address that was given to us is of this GitHub: credentials go nowhere else."""
        return url.startswith(f"{self._api}/")

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Say whose certificates are believed: the system's. Reading them takes a while, so it is done once."""
    return ssl.create_default_context()


def _asked_wait(answer: Answer, now: datetime) -> timedelta:
    """Tell how long GitHub wants to be left alone: `Retry-After`, else until the limit is reset, else a minute."""
    after = answer.headers.get("Retry-After", "")
    if after.isdecimal():
        return timedelta(seconds=int(after))
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isdecimal():
        left = datetime.fromtimestamp(int(reset), UTC) - now
        return max(left, timedelta(0)) + timedelta(seconds=1)
    return timedelta(minutes=1)


async def pages(
    ask: Callable[[str, Mapping[str, str] | None], Awaitable[Answer]],
    path: str,
    params: Mapping[str, str] | None = None,
    *,
    most: int = MOST_PAGES,
) -> AsyncIterator[Any]:
    """Go through the pages of a list, `most` of them; yields what each one's body is."""
    at: str | None = path
    sent: Mapping[str, str] | None = {**(params or {}), "per_page": str(_PER_PAGE)}
    for _ in range(most):
        if at is None:
            return
        answer = await ask(at, sent)
        yield answer.data
        at, sent = answer.next, None


def in_path(text: str) -> str:
    """Write a name from outside as part of a path, slashes and all.

    >>> in_path("feature/a b?c#d%"), in_path("../x")
    ('feature/a%20b%3Fc%23d%25', '%2E%2E/x')
    """
    parts = (quote(part, safe="") for part in text.split("/"))
    return "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in parts)
