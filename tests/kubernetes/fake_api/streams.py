"""Two-way streams of a pod: exec, attach and port-forward over websockets (`v4` and `v5.channel.k8s.io`)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.kubernetes.fake_api.containers import CannotStartError, Command, Running
from tests.kubernetes.fake_api.kinds import Object
from tests.kubernetes.fake_api.kubelet import Kubelet
from tests.kubernetes.fake_api.problems import Problem, bad_request, internal

STDIN, STDOUT, STDERR, STATUS = range(4)
_CLOSE = 255
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


async def refuse(socket: WebSocket, problem: Problem) -> None:
    """Answer an upgrade with a refusal."""
    await socket.send_denial_response(JSONResponse(problem.status, problem.code))


def chosen_container(pod: Object, asked: str) -> Object:
    """Find the container that is meant. Problem where it is not clear, or there is none."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    first, main = spec.get("initContainers") or [], spec["containers"]
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container", "")
    asked = asked or default
    if not asked:
        if len(main) == 1:
            return main[0]  # type: ignore[no-any-return]
        steps = f" or one of the init containers: [{' '.join(c['name'] for c in first)}]" if first else ""
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(c['name'] for c in main)}]{steps}"
        )
    for container in [*main, *first]:
        if container["name"] == asked:
            return container  # type: ignore[no-any-return]
    raise bad_request(f"container {asked} is not valid for pod {name}")


async def run_command(socket: WebSocket, kubelet: Kubelet, pod: Object, query: QueryParams) -> None:
    """Serve exec: the command's streams, and at the end its status."""
    try:
        running = _running(kubelet, pod, query.get("container", ""))
        if not query.getlist("command"):
            raise bad_request("you must specify at least 1 command for the container")
    except Problem as problem:
        await refuse(socket, problem)
        return
    protocol = await _accept(socket)
    has_input = query.get("stdin") == "true"
    try:
        command = await running.exec(query.getlist("command"), stdin=has_input)
    except CannotStartError as error:
        await _say(socket, _could_not_start(str(error)))
        return
    feeding = asyncio.create_task(_feed(socket, command))
    try:
        copying = [
            _copy(socket, command, name, channel)
            for name, channel in (("stdout", STDOUT), ("stderr", STDERR))
        ]
        code, *_ = await asyncio.gather(command.wait(), *copying)
        await _say(socket, _exit_status(code), version=protocol)
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # who asked has gone
    finally:
        await command.kill()
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


def _running(kubelet: Kubelet, pod: Object, asked: str) -> Running:
    container = chosen_container(pod, asked)
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        raise bad_request(
            f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}"
        )
    worker = kubelet.worker(pod)
    found = worker.containers.get(container["name"]) if worker else None
    if found is None or found.running is None:
        raise internal(f'unable to upgrade connection: container not found ("{container["name"]}")')
    return found.running


async def _accept(socket: WebSocket) -> str:
    asked = socket.scope.get("subprotocols") or []
    chosen = next((protocol for protocol in _PROTOCOLS if protocol in asked), None)
    await socket.accept(subprotocol=chosen)
    return chosen or ""


async def _copy(socket: WebSocket, command: Command, stream: str, channel: int) -> None:
    while data := await command.read(stream):
        await socket.send_bytes(bytes([channel]) + data)


async def _feed(socket: WebSocket, command: Command) -> None:
    """Pass on what the client sends, until it says that nothing more comes, or goes."""
    try:
        while True:
            message = await socket.receive_bytes()
            if message[:1] == bytes([STDIN]):
                await command.write(message[1:])
            elif message == bytes([_CLOSE, STDIN]):
                await command.end_input()
    except (WebSocketDisconnect, RuntimeError, KeyError):
        await command.kill()


async def _say(socket: WebSocket, status: Object, *, version: str = "") -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_bytes(bytes([STATUS]) + json.dumps(status).encode())
        await socket.close(1000)


def _exit_status(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _could_not_start(why: str) -> Object:
    said = f"Internal error occurred: error executing command in container: {why}"
    return {**internal(said).status, "metadata": {}}


async def forward(socket: WebSocket, query: QueryParams) -> None:
    """Serve port-forward: two channels for each port, data and errors; each begins with the port's number."""
    ports = [int(part) for text in query.getlist("ports") for part in text.split(",")]
    await _accept(socket)
    writers: dict[int, asyncio.StreamWriter] = {}
    tasks = []
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        try:
            reader, writers[2 * number] = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            said = f"error forwarding port {port} to pod: failed to connect to localhost:{port}: {error.strerror}"
            await socket.send_bytes(bytes([2 * number + 1]) + said.encode())
            continue
        tasks.append(asyncio.create_task(_back(socket, reader, 2 * number)))
    try:
        while True:
            message = await socket.receive_bytes()
            if message and (writer := writers.get(message[0])):
                writer.write(message[1:])
                await writer.drain()
    except (WebSocketDisconnect, RuntimeError, OSError, KeyError):
        pass
    finally:
        for task in tasks:
            task.cancel()
        for writer in writers.values():
            writer.close()


async def _back(socket: WebSocket, reader: asyncio.StreamReader, channel: int) -> None:
    with suppress(OSError, RuntimeError, WebSocketDisconnect):
        while data := await reader.read(32768):
            await socket.send_bytes(bytes([channel]) + data)
        await socket.close(1000)


async def attach(socket: WebSocket, kubelet: Kubelet, pod: Object, query: QueryParams) -> None:
    """Serve attach: what the container writes from now on."""
    try:
        running = _running(kubelet, pod, query.get("container", ""))
    except Problem as problem:
        await refuse(socket, problem)
        return
    await _accept(socket)
    with suppress(WebSocketDisconnect, RuntimeError):
        async for line in running.log.read(start=len(running.log.lines), follow=True):
            await socket.send_bytes(bytes([STDERR if line.stream == "stderr" else STDOUT]) + line.text)
        await _say(socket, {"metadata": {}, "status": "Success"})
