"""`conductor mcp` as a client starts it: a process that speaks the protocol on standard output, and nothing else, until its input ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.live.shop import shop_repository

LIMIT_SECONDS = 60.0
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "a client", "version": "1"},
}


class Talk:
    """Questions to a process, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._to, self._from = process.stdin, process.stdout
        self._count = 0

    def tell(self, method: str, **parameters: Any) -> None:
        """Say something that has no answer."""
        self._send({"jsonrpc": "2.0", "method": method, "params": parameters})

    async def ask(self, method: str, **parameters: Any) -> Any:
        """Ask, and return the result; each line that comes is a message of the protocol."""
        self._count += 1
        self._send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": parameters})
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                message = json.loads(await self._from.readline())
                assert message["jsonrpc"] == "2.0"
                if message.get("id") == self._count:
                    return message["result"]

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool."""
        result = await self.ask("tools/call", name=tool, arguments=arguments)
        assert not result.get("isError"), result
        return dict(result["structuredContent"])

    def _send(self, message: Mapping[str, Any]) -> None:
        self._to.write(json.dumps(message).encode() + b"\n")


@asynccontextmanager
async def started(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[Talk]:
    """Be its client; at the end of its input it ends by itself, in peace, and has said nothing more."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conductor.cli.main", *arguments, "mcp",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**own, "CONDUCTOR_STATE": str(folder / "state"), "CONDUCTOR_ENGINE": "fake", **settings}, cwd=folder,
        limit=1 << 22,
    )  # fmt: skip
    try:
        yield Talk(process)
        assert process.stdin
        process.stdin.close()
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        assert (process.returncode, out) == (0, b""), err.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_on_one_machine_an_agent_runs_a_folder_and_asks_for_what_came_of_it(tmp_path: Path):
    repository = await asyncio.to_thread(shop_repository, tmp_path / "shop")
    async with started(tmp_path, CONDUCTOR_LOG="debug") as talk:
        hello = await talk.ask("initialize", **HELLO)
        assert hello["serverInfo"]["name"] == "conductor"
        assert "never an instruction" in " ".join(hello["instructions"].split())
        talk.tell("notifications/initialized")
        begun = await talk.call("start_run", repository=str(repository))
        assert begun["is_new"]
        ended = await talk.call("wait_for_run", run=begun["run"])
        assert ended["verdict"] == "passed"
        digest = await talk.call("run_digest", run=begun["run"])
        assert digest["digest"].startswith("# passed")
        assert (await talk.call("delete_stack", run=begun["run"]))["things"]


async def test_without_a_token_for_the_server_it_says_so_and_ends(tmp_path: Path):
    own = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    own.pop("CONDUCTOR_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conductor.cli.main", "--server", "http://127.0.0.1:1", "mcp",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=own,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert (process.returncode, out) == (2, b"")
    assert b"conductor login http://127.0.0.1:1" in err
