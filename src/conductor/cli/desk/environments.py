"""What commands ask about development environments, whoever answers: this machine's records and engine, or a server."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from conductor.bootstrap import App
from conductor.domain.environment import CHECKOUT, Environment
from conductor.domain.report import LogLine
from conductor.operations import environments, issues
from conductor.operations.environments import EnvironmentRequest, EnvironmentView
from conductor.operations.start_run import repository_name
from conductor.ports.engine import ExecResult
from conductor.ports.forge import Pushed
from conductor.ports.terminal import Terminal


class EnvironmentDesk(Protocol):
    """Law: both give the same answers to the same records. An environment is named by its id or the beginning of it."""

    has_terminals: bool
    """Whether a command there can have somebody's terminal."""

    async def request(self, asked: EnvironmentRequest) -> str:
        """Ask for one, `location` being what was typed, and return its id: the same request again is the same environment."""
        ...

    async def wait(self, name: str, *, timeout: timedelta) -> EnvironmentView:
        """Return it once it is ready or over, or as it stands when the time is over."""
        ...

    async def list_environments(self, *, ended: bool) -> Sequence[EnvironmentView]:
        """Return them, latest first."""
        ...

    async def find(self, name: str) -> EnvironmentView:
        """Return one, with its steps."""
        ...

    async def execute(self, name: str, command: Sequence[str], *, stdin: bytes) -> ExecResult:
        """Run a command in the repository's folder."""
        ...

    async def attach(self, name: str, command: Sequence[str], terminal: Terminal) -> int:
        """Run a command there with a terminal as its own; return its exit code. Only where there are terminals."""
        ...

    def logs(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield what its workspace wrote; with `follow` as it comes, until the workspace stops."""
        ...

    async def read_file(self, name: str, path: str) -> bytes:
        """Return a file of the workspace."""
        ...

    async def write_file(self, name: str, path: str, content: bytes) -> None:
        """Write a file of the workspace."""
        ...

    async def push(self, name: str, *, tag: str | None, test: bool) -> Pushed:
        """Push its branch, with that tag or, for `test`, with the one that starts a run of it."""
        ...

    async def extend(self, name: str, *, by: timedelta) -> None:
        """Let it last longer, and the claim on its issue too."""
        ...

    async def sleep(self, name: str) -> None:
        """Stop its workspace and keep what it holds."""
        ...

    async def wake(self, name: str) -> None:
        """Start its workspace again."""
        ...

    async def release(self, name: str) -> EnvironmentView:
        """End it. Returns once nothing of it is left."""
        ...


class EnvironmentsHere:
    """Answers by operations on a world that is open. Requests and releases take durable execution: `session.running`."""

    has_terminals = True

    def __init__(self, app: App) -> None:
        self._world = app.world
        self._tracking = app.tracking
        self._principal = app.settings.principal or getpass.getuser()

    async def request(self, asked: EnvironmentRequest) -> str:
        """Ask for one: a folder or an address is taken as it is, a name is looked for on the forges."""
        asked = await environments.for_issue(self._tracking, await self._located(asked))
        row = await environments.request(self._world, asked)
        await self._renew_claim(row.environment)
        return row.environment.id

    async def wait(self, name: str, *, timeout: timedelta) -> EnvironmentView:
        """Return it once it is ready or over, or as it stands when the time is over."""
        row = await environments.wait(self._world, name, timeout=timeout)
        return await self.find(row.environment.id)

    async def list_environments(self, *, ended: bool) -> Sequence[EnvironmentView]:
        """Return them, latest first."""
        return await environments.list_environments(self._world, ended=ended)

    async def find(self, name: str) -> EnvironmentView:
        """Return one, with its steps."""
        return await environments.find(self._world, name)

    async def execute(self, name: str, command: Sequence[str], *, stdin: bytes) -> ExecResult:
        """Run a command in the repository's folder."""
        return await environments.execute(self._world, name, command, stdin=stdin)

    async def attach(self, name: str, command: Sequence[str], terminal: Terminal) -> int:
        """Run a command there with a terminal as its own."""
        inside = ["sh", "-c", f'cd {CHECKOUT} && exec "$@"', "sh", *command]
        return await environments.attach(self._world, name, inside, terminal)

    def logs(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield what its workspace wrote."""
        return environments.logs(self._world, name, follow=follow)

    async def read_file(self, name: str, path: str) -> bytes:
        """Return a file of the workspace."""
        return await environments.read_file(self._world, name, path)

    async def write_file(self, name: str, path: str, content: bytes) -> None:
        """Write a file of the workspace."""
        await environments.write_file(self._world, name, path, content)

    async def push(self, name: str, *, tag: str | None, test: bool) -> Pushed:
        """Push its branch, and a tag where one is wanted."""
        environment = (await self.find(name)).row.environment
        wanted = tag or (environments.trigger_tag(environment) if test else None)
        return await environments.push(self._world, environment.id, tag=wanted)

    async def extend(self, name: str, *, by: timedelta) -> None:
        """Let it last longer, and the claim on its issue too."""
        await environments.extend(self._world, name, by=by)
        await self._renew_claim((await self.find(name)).row.environment)

    async def sleep(self, name: str) -> None:
        """Stop its workspace and keep what it holds."""
        await environments.sleep(self._world, name)

    async def wake(self, name: str) -> None:
        """Start its workspace again."""
        await environments.wake(self._world, name)

    async def release(self, name: str) -> EnvironmentView:
        """End it."""
        name = (await self.find(name)).row.environment.id
        await environments.release(self._world, name)
        return await self.find(name)

    async def _located(self, asked: EnvironmentRequest) -> EnvironmentRequest:
        typed = asked.location
        folder = Path(typed)
        is_address = "://" in typed
        named = not is_address and not await asyncio.to_thread(folder.exists)
        if named:
            location = await environments.location_of(self._tracking, typed)
        else:
            location = typed if is_address else str(await asyncio.to_thread(folder.absolute))
        repository = typed if named else repository_name(location)
        return replace(asked, location=location, repository=repository, principal=self._principal)

    async def _renew_claim(self, environment: Environment) -> None:
        """Let the claim on its issue last longer: there is work on it."""
        if environment.issue:
            await issues.work_on(
                self._tracking,
                environment.repository,
                environment.issue,
                principal=environment.principal,
                environment=environment.id,
            )
