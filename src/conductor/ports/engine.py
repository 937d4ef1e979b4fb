"""The engine: where workloads run. One interface for Docker, Kubernetes and the fake, speaking our `Stack`.

The order of a run's calls:

    unsupported -> create_namespace -> apply (each service, as it becomes startable) -> start_job -> collect
                -> [sleep, wake, exec, ...] -> delete_namespace

Laws. Verbs that change something are idempotent and may be repeated after a crash at any point: names come from the caller and are
worked out from the run, so what exists already is adopted, never doubled. No verb waits for readiness: the step watches, and asks the
pure `readiness`. Every verb raises `UnreachableError` when the engine does not answer; other endings of a workload are states, not
exceptions. What an engine cannot do is said by `unsupported` before anything starts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from conductor.domain.account import Entry
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import LogLine
from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import States
from conductor.ports.terminal import Terminal


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a stack goes: the namespace's name, whose it is, and the checkout that bind mounts are relative to."""

    namespace: str
    run: str
    checkout: str = ""
    """Absolute path of the checkout on this machine; empty where nothing is mounted from it."""
    publish: tuple[str, ...] = ()
    """`SERVICE:PORT` or `SERVICE:PORT=HOSTPORT`: ports that are opened on 127.0.0.1; without HOSTPORT on any free one."""
    repository: str = ""
    """What is tested, as people name it (`acme/shop`): a mark on what is made, where the engine has marks."""
    branch: str = ""
    """The branch that the commit is of, for the same purpose; empty where it is not known."""
    environment: str = ""
    """Whose secrets it has (`qa`, `dev`), for the same purpose: collected logs bear it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecResult:
    """What a command in a container answered."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where visitors find a service of a stack. Nobody is let in there without the token."""

    url: str
    """Without the token: it may be shown to anybody."""
    token: str = field(repr=False)
    """Of all addresses of the stack."""

    @property
    def opening(self) -> str:
        """The address that opens it: a browser keeps the token, and is led to `url`."""
        return f"{self.url}?token={self.token}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """One line of `doctor`: what was looked at, whether it is well, and what to do if not."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""


PARTIAL_ENTRY = ".conductor-partial"
"""The entry of a collected archive that says what is missing from it."""


class Renderer(Protocol):
    """The pure half of an engine: what it would be told, without one being there."""

    name: str
    """`docker`, `kubernetes` or `fake`."""

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:
        """List what this engine cannot do of what is asked. Pure; empty is good."""
        ...

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Show what the engine will be told, as plain data in a stable order.

        Secrets appear by name only. Reads nothing but what is mounted from `place.checkout`.
        """
        ...


class Engine(Renderer, Protocol):
    """Ten verbs and their inspection."""

    async def create_namespace(self, place: Place, lease: Lease) -> None:
        """Make the isolated place: network, mark. Existing: the mark is renewed, nothing else happens."""
        ...

    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        """Make this service of the stack run, with `service.image` set. Returns when the engine has taken it.

        Adopts what runs already. What goes wrong from here on (pull, start, crash) is in the service's state.
        """
        ...

    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        """Start the job beside the stack, or adopt it, running or ended."""
        ...

    async def stop(self, place: Place, workload: str, *, grace: timedelta) -> None:
        """Ask the workload to end, and end it after `grace`. Ended or unknown: nothing happens."""
        ...

    def watch(self, place: Place) -> AsyncGenerator[States]:
        """Yield the states of all workloads, first at once, then whenever they change, until the caller leaves.

        Health checks are run while somebody watches. Survives a short loss of the engine; raises `UnreachableError` after that.
        """
        ...

    async def states(self, place: Place) -> States:
        """Return the states now, without running health checks."""
        ...

    def logs(
        self, place: Place, workload: str, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine]:
        """Yield lines whole and in order, from those written strictly after `since`; with `follow` until the workload ends.

        A workload that never started yields nothing. Restarts of a container are one log.
        """
        ...

    async def exec(
        self,
        place: Place,
        workload: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
    ) -> ExecResult:
        """Run a command in the running workload. NotFoundError when it does not run; 124 when `timeout` ended it."""
        ...

    async def attach(self, place: Place, workload: str, command: Sequence[str], terminal: Terminal) -> int:
        """Run a command with somebody's terminal as its own; return its exit code."""
        ...

    async def copy_in(self, place: Place, workload: str, path: str, archive: bytes) -> None:
        """Unpack a tar archive at `path` in the workload, running or not."""
        ...

    def copy_out(self, place: Place, workload: str, path: str) -> AsyncGenerator[bytes]:
        """Yield a tar archive of `path` in the workload, running or ended. NotFoundError where there is none."""
        ...

    def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes]:
        """Yield a tar archive of the job's reports and artifacts, names relative to its working directory.

        The job has ended, however it did. Paths that match nothing are simply absent. What is over the engine's limit of size is left out,
        and an entry named `PARTIAL_ENTRY` says so in one line of text for each.
        """
        ...

    async def url_of(self, place: Place, service: str, port: int) -> str:
        """Return `host:port` under which this machine reaches a port of a running service. NotFoundError where it cannot."""
        ...

    async def address_of(
        self, place: Place, stack: Stack, service: str, *, port: int | None = None
    ) -> Address:
        """Give a service of the stack an address of its own, closed to who has no token; without `port` its first one's.

        The same each time. RefusedError where the engine has no addresses, NotFoundError where the stack declares no such port.
        """
        ...

    async def sleep(self, place: Place) -> None:
        """Stop every workload and keep what they hold.

        ConflictError where one goes on running, since a command that its file wants before the stop failed, and its engine can tell.
        """
        ...

    async def wake(self, place: Place, service: str) -> None:
        """Start a sleeping service again; the caller keeps the dependency order."""
        ...

    async def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace. NotFoundError where there is no such namespace."""
        ...

    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List the namespaces of this instance, with their leases; those of other instances are never seen."""
        ...

    async def delete_namespace(self, namespace: str) -> int:
        """Remove all of it, and return once it is gone, with the number of things removed. Gone already: 0."""
        ...

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Look at the engine for `doctor`. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; everything goes on running."""
        ...
