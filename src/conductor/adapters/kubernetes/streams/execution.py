"""Commands in running containers. The streams are apart, and the exit code is the command's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import POD, Manifest
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.seeing.pod_status import is_leaving, main_status, state_of
from conductor.adapters.kubernetes.streams.sockets import (
    COMMANDS,
    STATUS,
    STDERR,
    STDIN,
    STDOUT,
    Message,
    Socket,
    Words,
    opened,
)
from conductor.domain.names import LABEL_WORKLOAD
from conductor.errors import ConductorError, NotFoundError
from conductor.ports.engine import ExecResult

TIMED_OUT = 124
"""The exit code of a command that its timeout ended, as coreutils' timeout(1) answers."""
NOT_EXECUTABLE, NO_PROGRAM = 126, 127
NOT_RUNNING = "See with `conductor stacks list` what runs there."
KEEP = 64 * 2**20
"""Bytes of output that are kept of each stream: the last ones."""
_NO_PROGRAM = ("executable file not found", "no such file or directory")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A container of a pod."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"{self.pod} in {self.namespace}"


async def pods_of(client: Client, namespace: str, workload: str) -> list[Manifest]:
    """Return the pods of a workload, the oldest first."""
    listing = await client.list(POD, namespace, labels={LABEL_WORKLOAD: kube_name(workload)})
    return sorted(listing.items, key=_age)


async def running(client: Client, namespace: str, workload: str) -> Target:
    """Return the container of a workload that runs, of the newest pod. NotFoundError where none does."""
    name = kube_name(workload)
    pods = await pods_of(client, namespace, workload)
    for pod in sorted(pods, key=lambda pod: (is_leaving(pod), _Last(_age(pod)))):
        if state_of(main_status(pod, name), "running") is not None:
            return Target(namespace=namespace, pod=pod["metadata"]["name"], container=_own(pod, name))
    there = "does not run" if pods else "is not there"
    raise NotFoundError(f"{workload} {there} in {namespace}", remedy=NOT_RUNNING)


async def execute(
    client: Client,
    target: Target,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: timedelta | None = None,
    keep: int = KEEP,
) -> ExecResult:
    """Run a command and return its exit code and what it wrote.

    NotFoundError where the container does not run. After `timeout` the answer is 124; the API has no way to end the command itself.
    """
    output = {STDOUT: bytearray(), STDERR: bytearray()}
    code = TIMED_OUT
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout else None):
            async with aclosing(conversation(client, target, command, stdin=stdin)) as messages:
                async for message in messages:
                    if message.channel == STATUS:
                        code = exit_code(message.data, target, output[STDERR])
                    elif (kept := output.get(message.channel)) is not None:
                        kept += message.data
                        del kept[: max(0, len(kept) - keep)]
    except TimeoutError:
        if timeout is None:
            raise
    return ExecResult(exit_code=code, stdout=bytes(output[STDOUT]), stderr=bytes(output[STDERR]))


async def conversation(
    client: Client, target: Target, command: Sequence[str], *, stdin: bytes = b""
) -> AsyncGenerator[Message, None]:
    """Yield what a command writes, as it comes; the last message is its status. Nothing is read ahead of the caller."""
    words = parameters(target, command, stdin=bool(stdin), tty=False)
    async with opening(client, target, words) as socket:
        feeding = asyncio.create_task(_feed(socket, stdin)) if stdin else None
        try:
            while (message := await socket.receive()) is not None:
                yield message
                if message.channel == STATUS:
                    return
        finally:
            if feeding:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
    raise client.lost(f"running a command in {target}", EOFError("the stream ended without a status"))


def opening(client: Client, target: Target, words: Words):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Open the stream of a command."""
    path = POD.path(target.namespace, target.pod, "exec")
    return opened(client, path, words, protocol=COMMANDS, doing=f"running a command in {target}")


def parameters(target: Target, command: Sequence[str], *, stdin: bool, tty: bool) -> Words:
    """Say what to run. With a terminal, both streams are one."""
    streams = [("stdout", "true"), ("stderr", "false" if tty else "true")]
    streams += [("stdin", "true")] if stdin else []
    streams += [("tty", "true")] if tty else []
    return [("container", target.container), *streams, *(("command", word) for word in command)]


def exit_code(status: bytes, target: Target, stderr: bytearray) -> int:
    """Read how a command ended (`metav1.Status`); what could not be started is 127 or 126, with the reason in `stderr`."""
    found = json.loads(status)
    if found.get("status") == "Success":
        return 0
    causes = (found.get("details") or {}).get("causes") or ()
    codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
    if codes and str(codes[0]).isdecimal():
        return int(codes[0])
    text = str(found.get("message") or "it was refused")
    if any(words in text for words in _NO_PROGRAM):
        stderr += text.encode()
        return NO_PROGRAM
    if "permission denied" in text:
        stderr += text.encode()
        return NOT_EXECUTABLE
    raise not_running(target, text)


def not_running(target: Target, text: str) -> ConductorError:
    """Say that nothing can be run there."""
    return NotFoundError(f"nothing can be run in {target}: {text}", remedy=NOT_RUNNING)


async def _feed(socket: Socket, stdin: bytes) -> None:
    await socket.send(STDIN, stdin)
    await socket.end(STDIN)


def _own(pod: Manifest, name: str) -> str:
    names = [container["name"] for container in pod["spec"]["containers"]]
    return name if name in names else str(names[0])


def _age(pod: Manifest) -> tuple[str, str]:
    metadata = pod["metadata"]
    return str(metadata.get("creationTimestamp") or ""), str(metadata["name"])


@dataclass(frozen=True, slots=True)
class _Last:
    """Turns an order round."""

    key: tuple[str, str]

    def __lt__(self, other: _Last) -> bool:
        return other.key < self.key
