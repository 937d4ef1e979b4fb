"""The way to the engine: which socket, one client for each event loop, and back again when the engine went away.

Looked for in this order: the address that was given, `DOCKER_HOST`, Docker's sockets, Podman's sockets, and last Podman's service that
Conductor starts itself. Law: what is given by name is never replaced by something else that happens to answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import aiodocker
import aiohttp

from conductor.adapters.docker.connection.service import PodmanService, answers
from conductor.errors import ConductorError, NotFoundError, RunError, UnreachableError, UsageError

P = ParamSpec("P")
T = TypeVar("T")

CALL_TIMEOUT = timedelta(minutes=2)
"""For one ordinary call; streams and waits have none."""

PATIENCE = timedelta(seconds=15)
"""So long may the engine be away while somebody watches or reads a log."""
BETWEEN_TRIES = timedelta(seconds=0.5)
TRUSTED_FOR = timedelta(seconds=0.4)
"""So long an answer counts as proof that the engine is there: less than `BETWEEN_TRIES`, so that a second try looks again."""

UNLIMITED = aiohttp.ClientTimeout(total=None, sock_read=None, sock_connect=10)
"""For what may last: logs, events, builds, pulls, archives."""

START_THE_ENGINE = "Start the engine (`systemctl start docker`, or nothing at all where Podman is installed), then try again."


class Client(aiodocker.Docker):
    """A client that owns its connector: on a socket every log that is followed holds a connection, so their number has no limit."""

    def __init__(self, url: str) -> None:
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT.total_seconds(), sock_connect=10)
        if url.startswith("unix://"):
            connector = aiohttp.UnixConnector(url.removeprefix("unix://"), limit=0)
            super().__init__(url="unix://localhost", connector=connector, timeout=timeout)
        else:
            super().__init__(url=url, timeout=timeout)
        self.address = self._connection_info = url
        self.podman = False
        """Whether it is Podman that answers; known once it was greeted."""
        self.well_at = 0.0
        """When it was last seen to answer, by the clock of its event loop."""

    async def greet(self) -> None:
        """Learn which version is spoken, and by whom, from the answer to `/_ping`: to `/version` Podman takes 0.4 s (4.3.1: seen)."""
        async with self._query("_ping", versioned_api=False) as response:
            self.podman = "Libpod-Api-Version" in response.headers
            if version := response.headers.get("Api-Version"):
                self.api_version = f"v{version}"
        await self._check_version()  # asks only where that answer said nothing

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        versioned: bool = True,
    ) -> Any:
        """Make one call with JSON both ways; the library has no typed words for some. Without `versioned` the path says its version."""
        data = dict(body) if body is not None else None
        return await self._query_json(
            path, method, params=dict(params or {}), data=data, versioned_api=versioned
        )

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a call that may last, sending an archive and giving the answer as it comes."""
        told = {**({"Content-Type": "application/x-tar"} if data is not None else {}), **(headers or {})}
        query = self._query(
            path, method, params=dict(params or {}), data=data, headers=told or None, timeout=UNLIMITED
        )
        async with query as response:
            try:
                yield response
            finally:
                response.close()

    async def close(self) -> None:
        """Let go of every connection."""
        await super().close()
        await self.connector.close()


async def connect(*, state_folder: Path, url: str | None = None) -> Client:
    """Return a client for this event loop that has been answered. Raises `UnreachableError` with what to do.

    `url` is `unix://PATH`, `tcp://HOST:PORT` or None to look for an engine; `state_folder` is where a Podman service of our own lives.
    The caller closes it.
    """
    client = _client(await _find(url or os.environ.get("DOCKER_HOST", ""), state_folder))
    try:
        with reaching(f"asking the engine at {client.address} for its version"):
            await client.greet()
    except BaseException:
        await client.close()
        raise
    return client


class Connection:
    """What engine and builder share: a client for the event loop that asks, made when first needed."""

    def __init__(self, *, state_folder: Path, url: str | None = None) -> None:
        self._state_folder = state_folder
        self._url = url
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def client(self) -> Client:
        """Return this loop's client; connect where there is none yet, and again where nobody answers any more.

        Podman's service ends when it is idle: a client that was good a minute ago may need it started again.
        """
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            client = self._clients.get(loop)
            if client is None or not await _is_well(client, loop.time()):
                client = await self._renewed(client)
                self._clients[loop] = client
            return client

    async def _renewed(self, client: Client | None) -> Client:
        """Look for the engine again. At the same address the client is kept: others may be reading by it."""
        if client is not None:
            url = await _find(self._url or os.environ.get("DOCKER_HOST", ""), self._state_folder)
            if url == client.address:
                return client
            await client.close()
        return await connect(state_folder=self._state_folder, url=self._url)

    async def aclose(self) -> None:
        """Let go of this loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()


class Patience:
    """How a loss of the engine is borne: for so long, and no longer."""

    def __init__(self) -> None:
        self._lost_at: float | None = None

    def well(self) -> None:
        """Take note that it answers."""
        self._lost_at = None

    async def bear(self, error: UnreachableError) -> None:
        """Wait a little before the next try; raise the error where that has gone on for `PATIENCE`."""
        now = asyncio.get_running_loop().time()
        self._lost_at = now if self._lost_at is None else self._lost_at
        if now - self._lost_at > PATIENCE.total_seconds():
            raise error
        await asyncio.sleep(BETWEEN_TRIES.total_seconds())


def once_more(verb: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Do an idempotent verb a second time when the engine went away in its middle."""

    @functools.wraps(verb)
    async def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await verb(*args, **kwargs)
        except UnreachableError:
            await asyncio.sleep(BETWEEN_TRIES.total_seconds())
            return await verb(*args, **kwargs)

    return tried


async def _is_well(client: Client, now: float) -> bool:
    if not client.address.startswith("unix://") or now - client.well_at < TRUSTED_FOR.total_seconds():
        return True
    if await answers(Path(client.address.removeprefix("unix://"))):
        client.well_at = now
        return True
    return False


@contextlib.contextmanager
def reaching(doing: str) -> Iterator[None]:
    """Say in our own errors what the engine or the library answered while we were `doing` something."""
    try:
        yield
    except aiodocker.DockerError as error:
        raise _ours(doing, error) from None
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise UnreachableError(
            f"the engine stopped answering while {doing}: {error or type(error).__name__}",
            remedy=START_THE_ENGINE,
        ) from None


def is_disk_full(text: str) -> bool:
    """Recognise a full disk in an engine's message."""
    return "no space left on device" in text.lower() or "disk quota exceeded" in text.lower()


CANNOT_CONNECT = 900
"""The status that aiodocker invents where there was no answer at all."""


def _ours(doing: str, error: aiodocker.DockerError) -> ConductorError:
    said = f"{doing}: {error.message}"
    if error.status == CANNOT_CONNECT:
        return UnreachableError(f"the engine does not answer while {said}", remedy=START_THE_ENGINE)
    if is_disk_full(error.message):
        return RunError(
            f"the engine's disk is full while {said}",
            reason="DiskFull",
            fault="platform",
            remedy="Free disk space on the engine's machine (`conductor stacks list`, then delete).",
        )
    if error.status == 404:  # noqa: PLR2004 -- HTTP
        return NotFoundError(f"not found while {said}")
    return RunError(
        f"the engine refused while {said}",
        reason="InternalError",
        fault="platform",
        remedy="`conductor doctor` looks at the engine; its own log says more.",
    )


async def _find(wanted: str, state_folder: Path) -> str:
    if wanted:
        return wanted
    async for socket in _answering(_usual_sockets()):
        return f"unix://{socket}"
    return await PodmanService(state_folder).ensure()


def _usual_sockets() -> list[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = ["/var/run/docker.sock", f"{Path.home()}/.docker/run/docker.sock", f"{runtime}/docker.sock"]
    rootful = ["/run/podman/podman.sock"] if os.geteuid() == 0 else []
    return [Path(socket) for socket in (*sockets, *rootful, f"{runtime}/podman/podman.sock")]


async def _answering(sockets: list[Path]) -> AsyncIterator[Path]:
    for socket in sockets:
        if await answers(socket):
            yield socket


def _client(url: str) -> Client:
    try:
        _refuse_nowhere(url)
        return Client(url)
    except (ValueError, aiodocker.DockerError) as error:  # the latter for ssh without its library
        raise UsageError(
            f"the engine's address {url!r} cannot be used: {getattr(error, 'message', error)}",
            remedy="Give it as unix:///path/to/socket or tcp://host:port (DOCKER_HOST or CONDUCTOR_DOCKER_HOST).",
        ) from None


def _refuse_nowhere(url: str) -> None:
    if not urlsplit(url).hostname and not url.startswith("unix://"):
        raise ValueError("it names neither a socket nor a host")
