"""The fake engine: the verbs of `ports.engine` on a machine that nobody has to own.

Containers do what their commands say, as far as `shell` knows them; others listen for ever, and test jobs pass one test. What goes wrong
is asked for by `CONDUCTOR_FAIL` (see `misfortunes`).
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from conductor.adapters.fake import performance
from conductor.adapters.fake.archives import packed, unpacked
from conductor.adapters.fake.clock import PassingClock
from conductor.adapters.fake.machine import Machine, Workload
from conductor.adapters.fake.misfortunes import Fate, Misfortune, parse_misfortunes
from conductor.adapters.fake.population import Population
from conductor.adapters.fake.presence import Presence
from conductor.adapters.fake.shell import FOREVER, play
from conductor.domain.account import Entry
from conductor.domain.globs import matches
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import LogLine
from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import Phase, States
from conductor.errors import NotFoundError, RefusedError, UnreachableError
from conductor.ports.clock import Clock
from conductor.ports.engine import Address, Diagnosis, ExecResult, Place
from conductor.ports.terminal import Terminal
from conductor.ports.usage import Used

TICK = timedelta(milliseconds=50)
"""How often a watcher looks."""

BEARABLE_LOSS = timedelta(seconds=30)
"""How long an engine may be silent before whoever watches is told."""

TIMED_OUT = 124
FIRST_PORT = 20_000


class FakeEngine:
    """An engine that needs nothing. `state` is a folder, for what outlives this process; engines that share a `machine` share it too."""

    name = "fake"

    def __init__(
        self,
        state: Path | None = None,
        *,
        instance: str = "fake",
        machine: Machine | None = None,
        clock: Clock | None = None,
        misfortunes: Iterable[Misfortune] | None = None,
    ) -> None:
        self._clock: Clock = clock or PassingClock()
        asked = (
            parse_misfortunes(os.environ.get("CONDUCTOR_FAIL", "")) if misfortunes is None else misfortunes
        )
        self._fate = Fate(asked)
        self._presence = Presence(self._clock, self._fate)
        self._population = Population(
            machine or Machine(state / "fake-engine.json" if state else None),
            instance=instance,
            clock=self._clock,
        )

    def leave(self, duration: timedelta) -> None:
        """Stop answering for so long."""
        self._presence.leave(duration)

    def befall(self, *misfortunes: Misfortune) -> None:
        """Let more go wrong, with what is still to come."""
        self._fate.add(misfortunes)

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:  # noqa: ARG002 -- it can do all
        """List nothing: it only plays."""
        return ()

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Show what would be played."""
        workloads = [(service, "service") for service in stack.services]
        workloads += [(job.workload, "job") for job in jobs]
        shown: list[Mapping[str, object]] = [{"namespace": place.namespace, "run": place.run}]
        for service, kind in workloads:
            shown.append(
                {
                    "kind": kind,
                    "name": service.name,
                    "image": service.image,
                    "secrets": list(service.secret_keys),
                }
            )
        return shown

    async def create_namespace(self, place: Place, lease: Lease) -> None:
        """Make it, or renew its mark."""
        self._presence.answer()
        self._population.create_namespace(place, lease)

    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        """Let it begin, unless it has."""
        self._presence.answer_unless_befallen()
        played = performance.of_service(stack, service, self._fate.of("deploy", service.name))
        self._population.put(
            place,
            stack,
            Workload(service=service, kind="service", performance=played, lives=self._population.life()),
        )

    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        """Let it begin, unless it has."""
        self._presence.answer()
        played = performance.of_job(job.workload, job.reports, self._fate.of("tests", job.workload.name))
        self._population.put(
            place,
            stack,
            Workload(service=job.workload, kind="job", performance=played, lives=self._population.life()),
        )

    async def stop(self, place: Place, workload: str, *, grace: timedelta) -> None:  # noqa: ARG002 -- they go at once
        """Cut it off, if it runs."""
        self._presence.answer()
        self._population.change(place, workload, self._population.cut)

    async def watch(self, place: Place) -> AsyncGenerator[States, None]:
        """Yield states as they change."""
        before: States | None = None
        silent_since: datetime | None = None
        while True:
            try:
                states = await self.states(place)
                silent_since = None
            except UnreachableError:
                silent_since = silent_since or self._clock.now()
                if self._clock.now() - silent_since > BEARABLE_LOSS:
                    raise
                states = before or {}
            if silent_since is None and states != before:
                before = states
                yield states
            await self._clock.sleep(TICK)

    async def states(self, place: Place) -> States:
        """Return them now; none where there is no such namespace."""
        self._presence.answer()
        now = self._clock.now()
        return {name: workload.state(now) for name, workload in self._population.workloads(place).items()}

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Play that each workload that runs keeps a tenth of a core busy, and 32 MiB."""
        running = [name for name, one in (await self.states(place)).items() if one.phase is Phase.RUNNING]
        return dict.fromkeys(running, Used(cpu_cores=0.1, memory_bytes=32 * 2**20))

    async def logs(
        self, place: Place, workload: str, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine, None]:
        """Yield what it has written, and with `follow` what it writes."""
        while True:
            self._presence.answer()
            found = self._population.workloads(place).get(workload)
            now = self._clock.now()
            for line in found.lines(now) if found else ():
                if since is None or line.at > since:
                    since = line.at
                    yield line
            if not follow or found is None or found.is_over(now):
                return
            await self._clock.sleep(TICK)

    async def exec(
        self,
        place: Place,
        workload: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
    ) -> ExecResult:
        """Play the command in it."""
        self._presence.answer()
        found = self._population.running(place, workload)
        files = {
            name: base64.b64decode(text).decode(errors="replace") for name, text in found.content().items()
        }
        plain = {name: value for name, value in found.service.environment.items() if isinstance(value, str)}
        course = play(command, plain, files=files, stdin=stdin.decode(errors="replace"))
        if timeout is not None and course.seconds > timeout.total_seconds():
            await self._clock.sleep(timeout)
            return ExecResult(exit_code=TIMED_OUT, stdout=b"", stderr=b"")
        if course.seconds != FOREVER:
            await self._clock.sleep(timedelta(seconds=course.seconds))
        changed = {name: text for name, text in course.files.items() if files.get(name) != text}
        if changed:
            self._population.change(
                place, workload, lambda one: replace(one, files={**one.files, **performance.packed(changed)})
            )
        return ExecResult(
            exit_code=course.exit_code,
            stdout=_text(course.lines, "stdout"),
            stderr=_text(course.lines, "stderr"),
        )

    async def attach(self, place: Place, workload: str, command: Sequence[str], terminal: Terminal) -> int:
        """Play the command in it and write what it says."""
        result = await self.exec(place, workload, command)
        await terminal.write(result.stdout + result.stderr)
        return result.exit_code

    async def copy_in(self, place: Place, workload: str, path: str, archive: bytes) -> None:
        """Unpack it there."""
        self._presence.answer()
        self._population.existing(place, workload)
        files = unpacked(archive, path)
        self._population.change(
            place, workload, lambda one: replace(one, files={**one.files, **performance.packed(files)})
        )

    async def copy_out(self, place: Place, workload: str, path: str) -> AsyncGenerator[bytes, None]:
        """Yield an archive of a file or a folder, names relative to what it is in."""
        self._presence.answer()
        found = self._population.existing(place, workload).content()
        top = PurePosixPath(path)
        wanted = {
            str(PurePosixPath(name).relative_to(top.parent)): text
            for name, text in found.items()
            if PurePosixPath(name) == top or top in PurePosixPath(name).parents
        }
        if not wanted:
            raise NotFoundError(
                f"there is no {path} in {workload}", remedy="Look at it with `conductor stacks exec`."
            )
        yield packed(wanted)

    async def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes, None]:
        """Yield an archive of what the job's globs match."""
        self._presence.answer()
        found = self._population.workloads(place).get(job.workload.name)
        globs = (*job.reports, *job.artifacts)
        top = job.workload.working_dir or "/"
        names = {name: name.removeprefix(top).lstrip("/") for name in (found.content() if found else {})}
        wanted = {
            short: found.content()[name]
            for name, short in names.items()
            if found and any(matches(glob, name) or matches(glob, short) for glob in globs)
        }
        yield packed(wanted)

    async def url_of(self, place: Place, service: str, port: int) -> str:
        """Return an address at which nothing listens, always the same."""
        self._presence.answer()
        found = self._population.running(place, service)
        for published in place.publish:
            target, _, host = published.partition("=")
            if target == f"{service}:{port}" and host:
                return f"127.0.0.1:{host}"
        declared = {*found.service.expose, *(one.target for one in found.service.ports)}
        if declared and port not in declared:
            raise NotFoundError(
                f"port {port} of {service} cannot be reached", remedy="Name one that it opens."
            )
        return f"127.0.0.1:{FIRST_PORT + port % FIRST_PORT}"

    async def address_of(
        self, place: Place, stack: Stack, service: str, *, port: int | None = None
    ) -> Address:
        """Refuse it: there is no ingress beside this engine."""
        del stack, port
        raise RefusedError(
            f"services on the engine {self.name} have no addresses of their own",
            remedy=f"`conductor stacks open {place.run} {service}:PORT` opens a port on this machine.",
        )

    async def sleep(self, place: Place) -> None:
        """Stop what runs, and remember that it sleeps."""
        self._presence.answer()
        now = self._clock.now()
        for name, workload in self._population.workloads(place).items():
            if workload.state(now).phase is not Phase.ENDED:
                self._population.change(
                    place, name, lambda one: replace(self._population.cut(one), asleep=True)
                )

    async def wake(self, place: Place, service: str) -> None:
        """Begin another life, if it sleeps."""
        self._presence.answer()
        self._population.change(
            place,
            service,
            lambda one: (
                replace(one, asleep=False, lives=(*one.lives, *self._population.life()))
                if one.asleep
                else one
            ),
        )

    async def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace."""
        self._presence.answer()
        self._population.mark(lease)

    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List this instance's."""
        self._presence.answer()
        return self._population.namespaces()

    async def delete_namespace(self, namespace: str) -> int:
        """Remove it and count: itself, its workloads and volumes."""
        self._presence.answer()
        return self._population.delete_namespace(namespace)

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Say that it is there."""
        return [
            Diagnosis(
                subject="engine", ok=not self._presence.is_gone, detail="the fake engine: nothing really runs"
            )
        ]

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def _text(lines: Iterable[tuple[float, str, str]], stream: str) -> bytes:
    return "".join(f"{text}\n" for _, written_to, text in lines if written_to == stream).encode()
