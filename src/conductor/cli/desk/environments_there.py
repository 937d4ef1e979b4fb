"""Development environments of a server, over its REST interface; by the token it knows who asks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from urllib.parse import quote

from conductor.cli.desk.client import ANSWER_SECONDS, Client
from conductor.cli.desk.reading import read, read_json
from conductor.domain.report import LogLine
from conductor.errors import UsageError
from conductor.operations.environments import LONGEST_COMMAND, EnvironmentRequest, EnvironmentView
from conductor.ports.engine import ExecResult
from conductor.ports.environments import EnvironmentRow
from conductor.ports.forge import Pushed
from conductor.ports.terminal import Terminal

MOST_LINES = 10_000
_LOOK_SECONDS = 20
"""So long the server holds back an answer, where it has no news."""
_COMMAND_SECONDS = int(LONGEST_COMMAND.total_seconds())
_WORK_SECONDS = 300.0
"""A workspace is stopped, started, pushed from or removed within this."""
_PAUSE_SECONDS = 0.5
_END = "end"


class EnvironmentsThere:
    """Answers by asking a server."""

    has_terminals = False

    def __init__(self, client: Client) -> None:
        self._client = client

    async def request(self, asked: EnvironmentRequest) -> str:
        """Ask for one of a repository that the server knows. The same request, where its answer was lost, is the same environment."""
        _refuse_what_is_here(asked)
        body = {
            "repository": asked.location,
            "issue": asked.issue,
            "branch": asked.branch or None,
            "base": asked.base or None,
            "environment": asked.environment,
            "kind": asked.kind,
            "keep_for_seconds": int(asked.keep_for.total_seconds()) if asked.keep_for else None,
        }
        given = {name: value for name, value in body.items() if value is not None}
        told = await self._client.post("/environments", given, key=_key(), within=_WORK_SECONDS)
        return read(EnvironmentRow, told).environment.id

    async def wait(self, name: str, *, timeout: timedelta) -> EnvironmentView:
        """Return it once it is ready or over, or as it stands when the time is over. A server that is away is waited for."""
        deadline = time.monotonic() + timeout.total_seconds()
        while True:
            left = max(deadline - time.monotonic(), 0)
            told = await self._client.get(_at(name), patient=True, wait=min(left, _LOOK_SECONDS))
            view = read(EnvironmentView, told)
            if not view.row.state.status.is_under_way or time.monotonic() >= deadline:
                return view

    async def list_environments(self, *, ended: bool) -> Sequence[EnvironmentView]:
        """Return those that the token reaches, latest first."""
        return read(list[EnvironmentView], (await self._client.get("/environments", ended=ended))["items"])

    async def find(self, name: str) -> EnvironmentView:
        """Return one, with its steps."""
        return read(EnvironmentView, await self._client.get(_at(name)))

    async def execute(self, name: str, command: Sequence[str], *, stdin: bytes) -> ExecResult:
        """Run a command in the repository's folder; what it says is text. UsageError where what it is given is none."""
        body = {"command": list(command), "stdin": _text(stdin), "timeout_seconds": _COMMAND_SECONDS}
        within = _COMMAND_SECONDS + ANSWER_SECONDS
        told = await self._client.post(f"{_at(name)}/exec", body, within=within)
        return ExecResult(
            exit_code=int(told["exit_code"]),
            stdout=str(told["stdout"]).encode(),
            stderr=str(told["stderr"]).encode(),
        )

    async def attach(self, name: str, command: Sequence[str], terminal: Terminal) -> int:  # noqa: ARG002 -- it has none to give
        """Refuse: a terminal does not go over this interface."""
        raise UsageError(
            f"a server gives no terminal in {name}", remedy="Give the command its input by a pipe or a file."
        )

    async def logs(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield what its workspace wrote: the last lines, or with `follow` all from the first on as they come."""
        if not follow:
            told = await self._client.get(f"{_at(name)}/logs", tail=MOST_LINES)
            for line in read(list[LogLine], told["items"]):
                yield line
            return
        last = ""
        while True:
            async for event in self._client.stream(f"{_at(name)}/logs/stream", last=last):
                if event.kind == _END:
                    return
                last = event.id or last
                for line in read_json(list[LogLine], event.data):
                    yield line
            await asyncio.sleep(_PAUSE_SECONDS)

    async def read_file(self, name: str, path: str) -> bytes:
        """Return a file of the workspace."""
        return await self._client.download(f"{_at(name)}/files", path=path)

    async def write_file(self, name: str, path: str, content: bytes) -> None:
        """Write a file of the workspace."""
        await self._client.upload(f"{_at(name)}/files", content, path=path)

    async def push(self, name: str, *, tag: str | None, test: bool) -> Pushed:
        """Push its branch, and a tag where one is wanted."""
        body = {"test": test} | ({"tag": tag, "test": False} if tag else {})
        return read(
            Pushed, await self._client.post(f"{_at(name)}/push", body, key=_key(), within=_WORK_SECONDS)
        )

    async def extend(self, name: str, *, by: timedelta) -> None:
        """Let it last longer, and the claim on its issue too."""
        await self._client.post(f"{_at(name)}/extend", {"by_seconds": int(by.total_seconds())}, key=_key())

    async def sleep(self, name: str) -> None:
        """Stop its workspace and keep what it holds."""
        await self._client.post(f"{_at(name)}/sleep", {}, within=_WORK_SECONDS)

    async def wake(self, name: str) -> None:
        """Start its workspace again."""
        await self._client.post(f"{_at(name)}/wake", {}, within=_WORK_SECONDS)

    async def release(self, name: str) -> EnvironmentView:
        """End it."""
        return read(EnvironmentView, await self._client.delete(_at(name), within=_WORK_SECONDS))


def _refuse_what_is_here(asked: EnvironmentRequest) -> None:
    if asked.env_files:
        raise UsageError(
            "--env-file is of this machine, and the environment is the server's",
            remedy="Secrets come from where the server has them.",
        )
    if asked.location in ("", "."):
        raise UsageError(
            "a server makes environments of repositories, not of folders of this machine",
            remedy="Name the repository as the server knows it: conductor env request OWNER/NAME.",
        )


def _text(stdin: bytes) -> str:
    try:
        return stdin.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "what goes into a command on a server is text in UTF-8",
            remedy="Bring it with `conductor env cp`.",
        ) from error


def _key() -> str:
    return secrets.token_hex(16)


def _at(name: str) -> str:
    return f"/environments/{quote(name, safe='')}"
