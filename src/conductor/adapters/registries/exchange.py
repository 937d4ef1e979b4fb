"""One question to a registry and its answer: time limits, sizes, repetitions, and waits that it asks for.

Laws. Each question ends, whatever the server does. 429 and 5xx are asked again after the pause that the server names, or after ours,
and end in `UnreachableError`; so does what breaks on the way. No error holds a header, a query or a body that we sent. Redirects are
never followed by themselves: who asks decides where its credentials go.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from conductor.domain.masking import Masker
from conductor.errors import ConductorError, RefusedError, UnreachableError
from conductor.ports.registry import Credentials

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between questions that are asked again."""
LONGEST_WAIT = 60.0
"""Seconds: who asks us to wait longer is told off to the next attempt of the run."""
_SILENCE_SECONDS = 30.0
_WHOLE_SECONDS = 300.0
_MOST_BYTES = 64 * 1024**2
"""A vulnerability report of a large image has several megabytes."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server said."""

    url: str
    status: int
    headers: Mapping[str, str]
    """Names are found however they are written."""
    body: bytes = field(repr=False, default=b"")

    @property
    def ok(self) -> bool:
        """Tell whether it did what was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """Read the body; UnreachableError where it is none: something else than a registry answers there."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnreachableError(
                f"{place(self.url)} answered {self.status} with something that is no JSON",
                remedy="See whether CONDUCTOR_REGISTRY_URL names the registry itself, and no other server before it.",
            ) from None

    def words(self) -> str:
        """Return what it says of its refusal, as one short line: untrusted."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return ""
        errors = told.get("errors") if isinstance(told, dict) else None
        first = errors[0] if isinstance(errors, list) and errors else told
        said = _message(first) if isinstance(first, dict) else ""
        return Masker()(" ".join(said.split())[:200])

    def codes(self) -> frozenset[str]:
        """Return the codes of its errors (OCI distribution specification, "Error Codes"); Harbor writes its own the same way."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return frozenset()
        errors = told.get("errors") if isinstance(told, dict) else None
        return frozenset(str(one.get("code")) for one in errors or () if isinstance(one, dict))


def _message(told: Mapping[str, Any]) -> str:
    return str(told.get("message") or told.get("detail") or told.get("details") or "")


class Exchange:
    """Asks servers. One for each registry; it has the connections."""

    def __init__(
        self,
        *,
        insecure: bool = False,
        ca_file: Path | None = None,
        sleep: Sleep = asyncio.sleep,
        transport: httpx2.AsyncBaseTransport | None = None,
        silence: float = _SILENCE_SECONDS,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._sleep = sleep
        self._most_bytes = most_bytes
        self._http = httpx2.AsyncClient(
            verify=_trust(ca_file, insecure=insecure),
            timeout=httpx2.Timeout(silence, connect=10.0, pool=60.0),
            follow_redirects=False,
            headers={"User-Agent": "conductor"},
            transport=transport,
        )

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Ask, again where the server is busy or cannot be reached. Any answer but "busy" is returned, refusals too."""
        trouble: ConductorError | None = None
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):
                for pause in (*PAUSES, None):
                    answer = await self._once(method, url, headers, params, content)
                    if isinstance(answer, Answer) and answer.status not in _BUSY:
                        return answer
                    trouble = _busy(answer) if isinstance(answer, Answer) else answer
                    wait = _pause(answer, pause)
                    if wait is None:
                        break
                    await self._sleep(wait)
        except TimeoutError:
            trouble = UnreachableError(f"{place(url)} took longer than {_WHOLE_SECONDS:.0f} s")
        raise trouble or UnreachableError(f"{place(url)} was not asked")

    async def follow(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Get what may be elsewhere. Where a redirect leads to another server, or out of TLS, no header of ours goes along."""
        at, sent = url, headers
        for _ in range(_MOST_REDIRECTS):
            answer = await self.ask("GET", at, headers=sent)
            if answer.status not in _REDIRECTS:
                return answer
            to = urljoin(at, answer.headers.get("Location", ""))
            if not same_server(at, to):
                sent = None
            if urlsplit(at).scheme == "https" and urlsplit(to).scheme != "https":
                raise UnreachableError(
                    f"{place(at)} redirects to {place(to)}, where anybody could read along"
                )
            at = to
        raise UnreachableError(f"{place(url)} redirects again and again")

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        content: bytes | None,
    ) -> Answer | UnreachableError:
        try:
            asking = self._http.stream(method, url, headers=headers, params=params, content=content)
            async with asking as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._most_bytes:
                        raise RefusedError(f"{place(url)} answers with more than {self._most_bytes} bytes")
                return Answer(
                    url=url, status=response.status_code, headers=response.headers, body=bytes(body)
                )
        except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as error:
            return _unreachable(url, error)


def basic(credentials: Credentials) -> dict[str, str]:
    """Say who asks (RFC 7617)."""
    told = b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    return {"Authorization": f"Basic {told}"}


def place(url: str) -> str:
    """Name where something is, without query or credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def same_server(one: str, other: str) -> bool:
    """Tell whether two addresses have one origin (RFC 6454)."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or usual


def asked_pause(answer: Answer, now: datetime | None = None) -> float | None:
    """Read `Retry-After` (RFC 9110, section 10.2.3) in seconds or as a date; else Docker Hub's `x-retry-after`, a time of day."""
    told = answer.headers.get("Retry-After") or answer.headers.get("X-Retry-After") or ""
    now = now or datetime.now(UTC)
    if told.isdecimal():
        seconds = float(told)
        return seconds if seconds < _A_MOMENT_IN_TIME else max(0.0, seconds - now.timestamp())
    try:
        return max(0.0, (parsedate_to_datetime(told) - now).total_seconds())
    except (ValueError, TypeError):
        return None


_A_MOMENT_IN_TIME = 1_000_000_000
"""A larger number counts from 1970."""


def _pause(answer: Answer | UnreachableError, usual: float | None) -> float | None:
    """Return how long to wait before asking again; None where it is not worth it."""
    asked = asked_pause(answer) if isinstance(answer, Answer) else None
    if usual is None or (asked is not None and asked > LONGEST_WAIT):
        return None
    return max(usual, asked or 0.0)


def _busy(answer: Answer) -> UnreachableError:
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        said = f": {answer.words()}" if answer.words() else ""
        return UnreachableError(
            f"{place(answer.url)} answered {answer.status}{said}",
            remedy="See what the registry's own log says.",
        )
    return UnreachableError(
        f"{place(answer.url)} answers no more questions for now{_limit(answer)}",
        remedy="Wait, or use an account with a higher limit; without an account Docker Hub's limit is lowest.",
    )


def _limit(answer: Answer) -> str:
    asked, told = asked_pause(answer), limit_words(answer.headers)
    words = [told] if told else []
    words += [f"again in {asked:.0f} s"] if asked is not None else []
    return f" ({', '.join(words)})" if words else ""


def limit_words(headers: Mapping[str, str]) -> str:
    """Read Docker Hub's limits: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`; empty where there are none."""
    limit, window = _rate(headers.get("RateLimit-Limit", ""))
    left, _ = _rate(headers.get("RateLimit-Remaining", ""))
    if limit is None or left is None:
        return ""
    return f"{left} of {limit} pulls left" + (f" in {window / 3600:g} h" if window else "")


def _rate(text: str) -> tuple[int | None, int]:
    number, _, rest = text.partition(";w=")
    if not number.strip().isdecimal():
        return None, 0
    return int(number), int(rest) if rest.strip().isdecimal() else 0


def _unreachable(url: str, error: Exception) -> UnreachableError:
    certificate = "certificate" in str(error).lower()
    remedy = (
        "Name the certificate that it is checked by in CONDUCTOR_REGISTRY_CA_FILE."
        if certificate
        else "See whether CONDUCTOR_REGISTRY_URL is right and can be reached from this machine."
    )
    said = str(error) or type(error).__name__
    return UnreachableError(f"asking {place(url)}: {said}", remedy=remedy)


@lru_cache(maxsize=4)
def _trust(ca_file: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Say whose certificates are believed; reading the system's takes a while, so it is done once."""
    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise RefusedError(
            f"reading certificates from {ca_file}: {error.strerror or error}",
            remedy="Name a file in PEM format in CONDUCTOR_REGISTRY_CA_FILE.",
        ) from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
