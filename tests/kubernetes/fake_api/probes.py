"""Probes of a container, tried as a kubelet tries them."""

from __future__ import annotations

import asyncio

from tests.kubernetes.fake_api.containers import CannotStartError, Running
from tests.kubernetes.fake_api.kinds import Object


async def probe(found: Object, container: Object, running: Running, pace: float) -> tuple[bool, str]:
    """Try once; return whether it went well and what it said."""
    limit = max(1.0, float(found.get("timeoutSeconds") or 1)) * max(pace, 0.2)
    try:
        async with asyncio.timeout(limit):
            if found.get("exec"):
                return await _command(found["exec"]["command"], running)
            return await _connection(found, container)
    except TimeoutError:
        return False, f"command timed out after {found.get('timeoutSeconds')}s"
    except CannotStartError as error:
        return False, str(error)


async def _command(command: list[str], running: Running) -> tuple[bool, str]:
    tried = await running.exec(command)
    try:
        output, errors = await asyncio.gather(tried.read("stdout"), tried.read("stderr"))
        code = await tried.wait()
    finally:
        await tried.kill()
    return code == 0, (output + errors).decode(errors="replace").strip()


async def _connection(found: Object, container: Object) -> tuple[bool, str]:
    port = (found.get("tcpSocket") or found.get("httpGet") or {}).get("port")
    named = {port["name"]: port["containerPort"] for port in container.get("ports") or () if port.get("name")}
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(named.get(port, port)))
    except OSError as error:
        return False, f"dial tcp: connect: {error.strerror or error}"
    try:
        if not found.get("httpGet"):
            return True, ""
        path = found["httpGet"].get("path") or "/"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status = int((await reader.readline()).split()[1])
        return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"
    finally:
        writer.close()
