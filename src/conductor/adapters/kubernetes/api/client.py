"""Asking an API server: plain objects in, plain objects out, every refusal a `ConductorError`.

Law: only what may be repeated is repeated. All verbs here may be: an `apply`, a `delete` and a `patch` by nature, a `create` because
the name is given, so that a second one finds the first.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx2

from conductor.adapters.kubernetes.api.kinds import SECRET, Kind, Manifest, kind_of
from conductor.adapters.kubernetes.api.problems import (
    UNREACHABLE,
    ComingBackError,
    ExpiredError,
    ForbiddenError,
    SilentError,
    api_error,
    is_there_already,
    is_worth_retrying,
)
from conductor.errors import ConductorError, ConflictError, NotFoundError, UnreachableError

FIELD_MANAGER = "conductor"
PAGE = 500
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between tries, where the server does not say how long to wait."""
LONGEST_PAUSE = 30.0
TURNED_AWAY = 120.0
"""Seconds in which a server that asks to come back later is obeyed; after that its refusals count as failed tries."""
OPENING = 30.0
"""Seconds that a stream may take to open: where hundreds are opened at once, each waits for the others."""
AT_ONCE = 12
"""So many requests of a process are on their way at the same time; others wait their turn. Watches and logs are none of them."""
COMING_BACK = 15.0
"""Seconds after a loss in which a missing right is no answer: an API server that starts knows no roles at first (seen on 1.36)."""
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"

Parameters = Mapping[str, str | int | bool | None]
Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Objects of one kind, and the version from which a watch goes on."""

    items: tuple[Manifest, ...]
    version: str


class Client:
    """One API server.

    `http` has its address and credentials, and carries what stays open: watches, logs, sockets. `asking` carries requests, `http` too where
    it is not given: one that looks for a free connection among hundreds that stay open is slow. `sleep` is how it waits between tries.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        asking: httpx2.AsyncClient | None = None,
        address: str = "",
        context: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.http = http
        self.address = address
        self.context = context
        self._asking = asking or http
        self._room = asyncio.Semaphore(AT_ONCE)
        self._sleep = sleep
        self._has_answered = False
        self._lost_at = float("-inf")

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Manifest:
        """Return one object. NotFoundError where there is none."""
        return await self.ask(
            "GET", kind.path(namespace, name), doing=f"reading {_named(kind, name, namespace)}"
        )

    async def find(self, kind: Kind, name: str, namespace: str = "") -> Manifest | None:
        """Return one object, or None."""
        try:
            return await self.get(kind, name, namespace)
        except NotFoundError:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: Labels | None = None,
        fields: Labels | None = None,
    ) -> Listing:
        """Return all objects of a kind, in a namespace or everywhere. A list that grew too old between pages is begun anew."""
        try:
            return await self._pages(kind, namespace, labels, fields, PAGE)
        except ExpiredError:
            return await self._pages(kind, namespace, labels, fields, None)

    async def apply(self, manifest: Manifest, *, force: bool = True, dry_run: bool = False) -> Manifest:
        """Make the object as wished, by server-side apply: what others set in it stays. Returns it as it is now."""
        kind, name, namespace = _identity(manifest)
        if kind is SECRET:
            raise ValueError("an applied Secret comes back with its values: create it")
        parameters: Parameters = {
            "fieldManager": FIELD_MANAGER,
            "force": force,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else None,
        }
        return await self.ask(
            "PATCH", kind.path(namespace, name), doing=f"applying {_named(kind, name, namespace)}",
            parameters=parameters, body=manifest, content_type=_APPLY,
        )  # fmt: skip

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest | None:
        """Make the object; None where one of its name is there already, which stays as it is."""
        kind, name, namespace = _identity(manifest)
        parameters: Parameters = {
            "fieldManager": FIELD_MANAGER,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else None,
        }
        try:
            return await self.ask(
                "POST", kind.path(namespace), doing=f"creating {_named(kind, name, namespace)}",
                parameters=parameters, body=manifest,
            )  # fmt: skip
        except ConflictError as error:
            if is_there_already(error):
                return None
            raise

    async def patch(
        self, kind: Kind, name: str, changes: Mapping[str, Any], namespace: str = "", *, part: str = ""
    ) -> Manifest:
        """Merge changes into an object (RFC 7386: None takes a key away). NotFoundError where there is none."""
        return await self.ask(
            "PATCH", kind.path(namespace, name, part), doing=f"changing {_named(kind, name, namespace)}",
            parameters={"fieldManager": FIELD_MANAGER}, body=changes, content_type=_MERGE,
        )  # fmt: skip

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        grace: int | None = None,
        propagation: str = "Background",
        uid: str = "",
    ) -> bool:
        """Ask for the end of an object; False where there is none, or another than the one with `uid`.

        `propagation` is Background, Foreground or Orphan. It is not gone yet when this returns.
        """
        options: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            **({} if grace is None else {"gracePeriodSeconds": grace}),
            **({"preconditions": {"uid": uid}} if uid else {}),
        }
        try:
            doing = f"deleting {_named(kind, name, namespace)}"
            await self.ask("DELETE", kind.path(namespace, name), doing=doing, body=options)
        except NotFoundError:
            return False
        except ConflictError:
            if uid:
                return False
            raise
        return True

    async def version(self) -> Manifest:
        """Return what the API server says of itself."""
        return await self.ask("GET", "/version", doing="asking the API server for its version")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        parameters: Parameters | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """Send one request and return its answer, trying again where that may help.

        Raises `UnreachableError`, `NotFoundError`, `ConflictError`, `RunError`, as `problems` says.
        """
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": content_type}
        patience = _Patience()
        while True:
            try:
                async with self._room:
                    response = await self._asking.request(
                        method, path, params=_given(parameters), content=content, headers=headers
                    )
            except httpx2.TransportError as error:
                refusal: ConductorError = self.lost(doing, error)
                pause = patience.after_a_loss() if self._has_answered else None
            else:
                self._has_answered = True
                answer = _read(response)
                if response.is_success:
                    return answer
                refusal = self.refused(doing, response.status_code, answer)
                may_help = isinstance(refusal, ComingBackError) or is_worth_retrying(
                    response.status_code, answer
                )
                pause = patience.after(response) if may_help else None
            if pause is None:
                raise refusal
            await self._sleep(pause)

    @asynccontextmanager
    async def stream(
        self, path: str, *, doing: str, parameters: Parameters | None = None, silence: float | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """Open an answer that comes bit by bit (a watch, a log). `silence`: seconds without a byte after which it is lost.

        What goes wrong while it is read is UnreachableError too.
        """
        timeout = httpx2.Timeout(OPENING, read=silence)
        try:
            async with self.http.stream("GET", path, params=_given(parameters), timeout=timeout) as response:
                self._has_answered = True
                if not response.is_success:
                    await response.aread()
                    raise self.refused(doing, response.status_code, _read(response))
                yield response
        except httpx2.ReadTimeout:
            raise SilentError(f"{doing}: nothing was heard for {silence} s", remedy=UNREACHABLE) from None
        except httpx2.TransportError as error:
            raise self.lost(doing, error) from None

    def lost(self, doing: str, error: Exception) -> UnreachableError:
        """Say that the server does not answer; `error` is the library's."""
        self._lost_at = time.monotonic()
        why = str(error) or type(error).__name__
        return UnreachableError(
            f"{doing}: {self.address or 'the API server'} does not answer: {why}", remedy=UNREACHABLE
        )

    def refused(self, doing: str, status: int, answer: Mapping[str, Any]) -> ConductorError:
        """Translate an answer that says no."""
        refusal = api_error(doing, status, answer)
        lacks_right = status == HTTPStatus.UNAUTHORIZED or isinstance(refusal, ForbiddenError)
        if lacks_right and time.monotonic() - self._lost_at < COMING_BACK:
            return ComingBackError(refusal.message, remedy=refusal.remedy)
        return refusal

    async def aclose(self) -> None:
        """Close all connections."""
        await self._asking.aclose()
        await self.http.aclose()

    async def _pages(
        self, kind: Kind, namespace: str, labels: Labels | None, fields: Labels | None, size: int | None
    ) -> Listing:
        items: list[Manifest] = []
        parameters: dict[str, str | int | bool | None] = {
            "labelSelector": selector(labels),
            "fieldSelector": selector(fields),
            "limit": size,
        }
        doing = f"listing {kind.plural}" + (f" in {namespace}" if namespace else "")
        while True:
            page = await self.ask("GET", kind.path(namespace), doing=doing, parameters=parameters)
            items += page.get("items") or ()
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(items=tuple(items), version=str(metadata.get("resourceVersion") or ""))
            parameters["continue"] = metadata["continue"]


@dataclass(slots=True)
class _Patience:
    """How long one request is tried again. Whom the server asks to come back later has not failed, but does not wait for ever."""

    tries: Iterator[float] = field(default_factory=lambda: iter(PAUSES))
    waited: float = 0.0

    def after_a_loss(self) -> float | None:
        """Return the seconds until the next try; None where there is none."""
        return next(self.tries, None)

    def after(self, response: httpx2.Response) -> float | None:
        """Return the seconds until the next try after a refusal, as the server asks for; None where there is none."""
        asked = _asked_pause(response)
        if (
            asked is not None
            and response.status_code == HTTPStatus.TOO_MANY_REQUESTS
            and self.waited < TURNED_AWAY
        ):
            pause = max(asked, PAUSES[0])
            self.waited += pause
            return pause
        usual = next(self.tries, None)
        return usual and (asked or usual)


def selector(wanted: Labels | None) -> str | None:
    """Write what is wanted as a selector; None for all.

    >>> selector({"a": "1", "b": "2"})
    'a=1,b=2'
    """
    return ",".join(f"{key}={value}" for key, value in wanted.items()) if wanted else None


def _identity(manifest: Manifest) -> tuple[Kind, str, str]:
    metadata = manifest["metadata"]
    return kind_of(manifest), str(metadata.get("name") or ""), str(metadata.get("namespace") or "")


def _named(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.name} {name}" + (f" in {namespace}" if namespace else "")


def _given(parameters: Parameters | None) -> dict[str, str]:
    words = {True: "true", False: "false"}
    return {
        key: words[value] if isinstance(value, bool) else str(value)
        for key, value in (parameters or {}).items()
        if value is not None
    }


def _read(response: httpx2.Response) -> Manifest:
    """Read the answer; what is no object (a proxy's page) becomes a message."""
    try:
        found = json.loads(response.content)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": response.text.strip()[:300]}


def _asked_pause(response: httpx2.Response) -> float | None:
    asked = response.headers.get("Retry-After", "")
    waits = asked.isdecimal() and response.status_code != HTTPStatus.OK
    return min(float(asked), LONGEST_PAUSE) if waits else None
