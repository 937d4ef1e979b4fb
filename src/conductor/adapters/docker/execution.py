"""Commands in running containers, over the API's upgraded connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.execs import Exec
from aiodocker.stream import Stream

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.errors import NotFoundError
from conductor.ports.engine import ExecResult

TIMED_OUT = 124
"""The exit code of a command that its timeout ended, as coreutils' timeout(1) answers."""
STDOUT, STDERR = 1, 2
CONFLICT = 409
_KEEP = 64 * 2**20
"""Bytes of output that are kept of each stream: the last ones."""


async def execute(
    client: Client,
    container: str,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: timedelta | None = None,
    keep: int = _KEEP,
    user: str = "",
    environment: Mapping[str, str] | None = None,
    working_dir: str = "",
) -> ExecResult:
    """Run a command and return its exit code and what it wrote. Raises `NotFoundError` where the container does not run."""
    with reaching(f"running {command[0] if command else 'nothing'} in {container}"):
        more: dict[str, Any] = {
            "user": user,
            "environment": dict(environment or {}) or None,
            "workdir": working_dir or None,
        }
        made = await prepare(client, container, command, stdin=bool(stdin), **more)
        output: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray()}
        try:
            async with asyncio.timeout(timeout.total_seconds() if timeout else None):
                await _talk(made.start(), stdin, output, keep)
                code = await exit_code(made)
        except TimeoutError:
            if timeout is None:
                raise
            await _end(made, container)
            code = TIMED_OUT
        return ExecResult(exit_code=code, stdout=bytes(output[STDOUT]), stderr=bytes(output[STDERR]))


async def prepare(
    client: Client, container: str, command: Sequence[str], *, stdin: bool, tty: bool = False, **more: Any
) -> Exec:
    """Make the exec instance; nothing runs yet."""
    try:
        return await client.containers.container(container).exec(list(command), stdin=stdin, tty=tty, **more)
    except aiodocker.DockerError as error:
        if error.status in (404, CONFLICT, 500) and "connect" not in error.message.lower():
            raise NotFoundError(
                f"nothing can be run in {container}: {error.message}",
                remedy="See with `conductor stacks list` whether it runs.",
            ) from None
        raise


async def exit_code(made: Exec) -> int:
    """Return the exit code of a command whose output has ended; the engine may be a moment late with it."""
    for _ in range(100):
        state = await made.inspect()
        if not state["Running"]:
            return int(state["ExitCode"] or 0)
        await asyncio.sleep(0.02)
    raise TimeoutError("the engine does not say how the command ended")


def end_input(stream: Stream) -> None:
    """Tell the command that its input is over, and go on reading what it writes."""
    connection = stream._resp.connection if stream._resp else None  # noqa: SLF001 -- the library can only close both ways
    if connection and connection.transport and connection.transport.can_write_eof():
        connection.transport.write_eof()


async def _talk(stream: Stream, stdin: bytes, output: dict[int, bytearray], keep: int) -> None:
    async with stream:
        feeding = asyncio.create_task(_feed(stream, stdin)) if stdin else None
        try:
            while (message := await stream.read_out()) is not None:
                kept = output.setdefault(message.stream, bytearray())
                kept += message.data
                del kept[: max(0, len(kept) - keep)]
        finally:
            if feeding:
                feeding.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await feeding


async def _feed(stream: Stream, stdin: bytes) -> None:
    for start in range(0, len(stdin), 2**16):
        await stream.write_in(stdin[start : start + 2**16])
    end_input(stream)


async def _end(made: Exec, container: str) -> None:
    """Kill a command that ran out of time: the API has no verb for it, so it is done where its process is on this machine."""
    with contextlib.suppress(aiodocker.DockerError, TimeoutError):
        pid = int((await made.inspect()).get("Pid") or 0)
        if pid and await asyncio.to_thread(belongs, pid, container):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def belongs(pid: int, container: str) -> bool:
    """Tell whether this process is one of that container (by its id), and not another of the same number elsewhere."""
    try:
        return container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return False


def said(result: ExecResult) -> str:
    """Return the last of what a command wrote, as one line for a message."""
    text = (result.stdout + b" " + result.stderr).decode(errors="replace")
    return " ".join(text.split())[-300:]
