"""The two sides: the real `docker-compose up`, and `conductor run`, on one engine and of copies of one folder.

Podman without systemd runs no health checks: on docker-compose's side this file does what systemd's timers would, and asks Podman to run
each check that is due. Conductor runs its checks itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import aiodocker

from conductor.adapters.docker.connection.client import Client
from conductor.adapters.docker.execution import execute
from conductor.errors import NotFoundError
from tests.live.compose_behaviour.facts import (
    Facts,
    Inspection,
    moment,
    phase,
    questions,
    seen_inside,
    seen_outside,
)
from tests.live.compose_behaviour.stacks import FOLDER, UNIQUE, Rule, checked_services, rules
from tests.live.shop import conductor

DOCKER_COMPOSE = Path(getattr(find_spec("compose"), "origin", None) or "/nowhere/").with_name(
    "docker-compose"
)
"""The program itself: the script beside Python's forgets its exit code."""
PROBE = (FOLDER / "probe.sh").read_text()
LIMIT_SECONDS = 120
BETWEEN_CHECKS = 0.2
TOKEN = "of the environment"
STOPPED = frozenset({"stops", "hooks", "stop-fails", "stop-missing"})
"""Stacks that are looked at when they have been stopped."""
ATTACHED = frozenset({"hooks", "hook-fails", "optional-hook", "stop-fails", "stop-missing"})
"""Stacks that `up` stays with: detached it runs commands after a start detached too, and Podman never tells how such a one ended."""
INTERRUPTED = frozenset({"stop-fails", "stop-missing"})
"""Stacks that are stopped by interrupting `up`: `docker-compose stop` runs commands before a stop detached, see above."""
PROFILES = {"surroundings": ("wanted",)}
FILES = {"surroundings": ("compose.yaml", "second.yaml")}
IS_HEALTHY = "is healthy"
"""What a service writes to its log once its check will pass."""
HOOK_IS_DONE = "hook is done"
"""What a command after a start writes to its service's log at its end."""
COMMANDS_AT_ONCE = 4


@dataclass
class _Seen:
    """What the engine said of a stack, once for all that look at the same moment."""

    inspections: Mapping[str, Sequence[Inspection]]
    logs: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Side:
    """One of the two, with one stack."""

    client: Client
    stack: str
    folder: Path
    label: str = ""
    """`NAME=VALUE` that the containers of this stack bear."""
    service_label: str = ""
    healths: dict[str, str] = field(default_factory=dict)
    exit_code: int = -1
    words: str = ""

    async def inspections(self, *services: str) -> Mapping[str, Sequence[Inspection]]:
        """Inspect the containers of these services, or of all, each service's in the order of their names."""
        listed = [
            container
            for container in await self.client.containers.list(
                all=True, filters=json.dumps({"label": [self.label]})
            )
            if not services or container["Labels"].get(self.service_label) in services
        ]
        found: dict[str, list[Inspection]] = {}
        for one in await asyncio.gather(*(container.show() for container in listed)):
            found.setdefault(one["Config"]["Labels"].get(self.service_label, ""), []).append(one)
        return {name: sorted(several, key=lambda c: str(c["Name"])) for name, several in found.items()}

    async def look(self, wanted: Sequence[Rule]) -> dict[str, Facts]:
        """Look at these services of the stack, each at one moment of the whole; a few commands run in containers at a time."""
        seen = _Seen(await self.inspections())
        turns = asyncio.Semaphore(COMMANDS_AT_ONCE)

        async def one(rule: Rule) -> Facts:
            async with turns:
                return await self._facts(rule, seen)

        return dict(zip(map(str, wanted), await asyncio.gather(*map(one, wanted)), strict=True))

    async def _facts(self, rule: Rule, seen: _Seen) -> Facts:
        mine = seen.inspections.get(rule.service, ())
        facts = seen_outside(mine)
        if facts["phase"] == "never started":
            return facts
        facts["log"] = "/".join(line for _, line in await self._log(mine[0], seen))
        facts["health"] = self._health(rule.service, mine[0])
        if facts["phase"] == "running":
            facts |= await self._inside(rule, mine[0])
        for other, condition in rule.conditions.items():
            facts |= await self._order(mine[0], other, condition, seen)
        return facts

    async def _inside(self, rule: Rule, container: Inspection) -> Facts:
        command = ["/bin/sh", "-c", PROBE, "probe", *questions(rule.asks)]
        try:
            answer = await execute(self.client, container["Id"], command)
        except NotFoundError:
            return {}  # it ended meanwhile: whoever compares looks again
        return seen_inside(answer.stdout, container["Id"]) if answer.exit_code == 0 else {}

    async def _order(self, mine: Inspection, other: str, condition: str, seen: _Seen) -> Facts:
        """Tell whether it was started after what it waits for, and what that does after its start."""
        theirs = seen.inspections.get(other, ())
        if not theirs or phase(theirs[0]) == "never started":
            return {}
        started, state = moment(mine["State"]["StartedAt"]), theirs[0]["State"]
        facts: Facts = {}
        if self.stack in STOPPED and phase(theirs[0]) == "ended":
            ended = moment(mine["State"]["FinishedAt"])
            facts[f"ended before {other}"] = _yes(ended <= moment(state["FinishedAt"]))
        match condition:
            case "service_started":
                hooked = [at for at, line in await self._log(theirs[0], seen) if line == HOOK_IS_DONE]
                facts[f"started after {other}"] = _yes(started > moment(state["StartedAt"]))
                return facts | {f"started after the hook of {other}": _yes(started > at) for at in hooked}
            case "service_completed_successfully":
                return {f"started after the end of {other}": _yes(started > moment(state["FinishedAt"]))}
        well = [at for at, line in await self._log(theirs[0], seen) if line == IS_HEALTHY]
        return {f"started after the health of {other}": _yes(started > well[0])} if well else {}

    async def _log(self, container: Inspection, seen: _Seen) -> list[tuple[datetime, str]]:
        if container["Id"] not in seen.logs:
            one = self.client.containers.container(container["Id"])
            text = "".join(await one.log(stdout=True, stderr=True, timestamps=True))
            pairs = (line.rstrip("\r").partition(" ") for line in text.splitlines())
            seen.logs[container["Id"]] = [(moment(at), line) for at, _, line in pairs]
        return seen.logs[container["Id"]]

    def _health(self, service: str, container: Inspection) -> str:
        return self.healths.get(service) or (container["State"].get("Health") or {}).get("Status") or "none"


@dataclass(frozen=True)
class _Up:
    """An `up` that stays, and what it says."""

    process: asyncio.subprocess.Process
    ended: asyncio.Task[tuple[bytes, bytes]]

    async def end(self, number: signal.Signals) -> str:
        """Send it a signal, wait for its end, and return what it said."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(LIMIT_SECONDS):
            said, _ = await self.ended
        return said.decode(errors="replace")


@dataclass(kw_only=True)
class Compose(Side):
    """docker-compose's side."""

    project: str
    image: str
    up: _Up | None = None

    async def rise(self) -> None:
        """Run `up` to its end."""
        self.label = f"com.docker.compose.project={self.project}"
        self.service_label = "com.docker.compose.service"
        up = self._attached() if self.stack in ATTACHED else self._detached()
        timers = asyncio.create_task(self._timers())
        try:
            self.exit_code, self.words = await up
        finally:
            timers.cancel()
            await asyncio.gather(timers, return_exceptions=True)

    async def _detached(self) -> tuple[int, str]:
        command = self._command("up", "--detach", "--pull", "never")
        done = await _run(command, self.folder, self._environment)
        return done.returncode, done.stdout + done.stderr

    async def _attached(self) -> tuple[int, str]:
        """Stay until all has started, which is no end to `up`, or until it ends by itself."""
        up = await asyncio.create_subprocess_exec(
            *self._command("up", "--pull", "never"), cwd=self.folder, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.up = _Up(up, asyncio.create_task(up.communicate()))
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while not self.up.ended.done() and not await self._has_started():
                    await asyncio.wait([self.up.ended], timeout=BETWEEN_CHECKS)
            code = up.returncode if self.up.ended.done() else 0
        finally:
            said = "" if self.stack in INTERRUPTED else await self.up.end(signal.SIGKILL)
        return code or 0, said

    async def _has_started(self) -> bool:
        found = await self.inspections()
        alive = {name for name, several in found.items() if phase(several[0]) != "never started"}
        return alive == {rule.service for rule in rules(self.stack)}

    async def fall(self) -> None:
        """Remove all of it: by its labels, since the files would have commands run before the stop of what has ended."""
        down = [str(DOCKER_COMPOSE), "--project-name", self.project, "down", "--volumes", "--timeout", "0"]
        await _run(down, self.folder.parent, self._environment)

    async def stop(self) -> None:
        """Stop it as people do."""
        if self.stack in INTERRUPTED and self.up:
            await self.up.end(signal.SIGINT)
        else:
            await _run(self._command("stop"), self.folder, self._environment)

    def _command(self, *words: str) -> list[str]:
        files = [*FILES.get(self.stack, ("compose.yaml",))]
        files += ["oracle.yaml"] if (self.folder / "oracle.yaml").exists() else []
        named = [part for file in files for part in ("--file", file)]
        wanted = [part for profile in PROFILES.get(self.stack, ()) for part in ("--profile", profile)]
        return [str(DOCKER_COMPOSE), "--project-name", self.project, *named, *wanted, *words]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath, "HOME": "/nonexistent", "DOCKER_HOST": self.client.address,
            "IMAGE": self.image, "UNIQUE": UNIQUE, "TOKEN": TOKEN,
        }  # fmt: skip

    async def _timers(self) -> None:
        """Run the checks of all that has one, again and again, as long as somebody waits for them."""
        while checked := checked_services(self.stack):
            for several in (await self.inspections(*checked)).values():
                for one in several:
                    if phase(one) == "running" and (one["State"].get("Health") or {}).get("Status"):
                        await self._check(one["Id"])
            await asyncio.sleep(BETWEEN_CHECKS)

    async def _check(self, container: str) -> None:
        try:
            async with self.client.session.get(
                f"{self.client.docker_host}/v4.0.0/libpod/containers/{container}/healthcheck"
            ) as answer:
                await answer.read()
        except (aiodocker.DockerError, OSError):
            return  # it ended meanwhile


@dataclass(kw_only=True)
class Conductor(Side):
    """Conductor's side: a repository of the same files."""

    state: Path
    image: str
    run: str = ""

    async def rise(self) -> None:
        """Run it to its verdict, and keep the stack."""
        _make_repository(self.folder)
        command = [
            *conductor(),
            "run",
            ".",
            "--no-cleanup",
            "--json",
            "--set",
            f"IMAGE={self.image}",
            "--set",
            f"UNIQUE={UNIQUE}",
        ]
        done = await _run(command, self.folder, self._environment)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.exit_code, self.words = done.returncode, str(events[-1].get("message")) + done.stderr
        self.run = events[-1]["run"]
        self.label = f"conductor.dev/run={self.run}"
        self.service_label = "conductor.dev/workload"
        for event in events:
            if event["kind"] == "service.changed":
                self.healths[event["subject"]] = event["data"]["health"]

    async def fall(self) -> None:
        """Remove all of it."""
        await _run([*conductor(), "stacks", "delete", self.run], self.folder, self._environment)

    async def stop(self) -> None:
        """Put it to sleep."""
        done = await _run([*conductor(), "stacks", "sleep", self.run], self.folder, self._environment)
        self.words += done.stdout + done.stderr

    @property
    def _environment(self) -> dict[str, str]:
        own = {"CONDUCTOR_STATE": str(self.state), "DOCKER_HOST": self.client.address, "TOKEN_QA": TOKEN}
        return {**os.environ, **own}


def copy_of(stack: str, folder: Path) -> Path:
    """Copy a stack's files to a folder of its own."""
    shutil.copytree(FOLDER / stack, folder)
    return folder


def _make_repository(folder: Path) -> None:
    author = ["-c", "user.name=shop", "-c", "user.email=shop@example.org"]
    for words in (["init", "--quiet", "--initial-branch=main"], ["add", "--all", "--force"],
                  [*author, "commit", "--quiet", "--message", "The stack"]):  # fmt: skip
        subprocess.run(["git", *words], cwd=folder, check=True, timeout=LIMIT_SECONDS)


async def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip


def _yes(answer: bool) -> str:  # noqa: FBT001 -- a fact's text
    return "yes" if answer else "no"
