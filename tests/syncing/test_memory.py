"""Conductor's process never holds a value: its whole memory is looked through after a sync, with what it made of it on the cluster."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest

from tests.github.fake import FakeGitHub
from tests.kubernetes.fake_api import FakeApiServer
from tests.registries.serving import serving
from tests.syncing.actions import Actions
from tests.syncing.conftest import a_repository
from tests.syncing.consumers import on_github

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")
_ONE_READ = 1 << 26


def found_in(pid: int, needles: Sequence[bytes]) -> set[bytes]:
    """Look for texts in the memory of a process, but for what the kernel shows to nobody."""
    found: set[bytes] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            region = _REGION.match(line)
            if region is None or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(part, 16) for part in region.groups())
            try:
                memory.seek(start)
                content = memory.read(min(end - start, _ONE_READ))
            except OSError:
                continue
            found |= {needle for needle in needles if needle in content}
    return found


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="no /proc on this machine: memory cannot be looked through"
)
async def test_no_value_was_ever_in_the_memory_of_conductors_process(tmp_path: Path) -> None:
    github, marker = FakeGitHub(), f"marker-{token_hex(24)}"
    values = {name: f"{token_hex(24)}\n" for name in on_github()}  # which no module of the other process has
    a_repository(github, values)
    async with FakeApiServer(tmp_path / "cluster") as server, serving(github.app()) as url:
        github.runner = Actions(tmp_path, kubeconfig=str(server.kubeconfig), values=values)
        github.now = datetime.now(UTC)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.syncing.process", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        told = {
            "github": url,
            "key": github.pem,
            "kubeconfig": str(server.kubeconfig),
            "marker": marker,
        }
        try:
            process.stdin.write(json.dumps(told).encode() + b"\n")
            async with asyncio.timeout(90):
                answer = json.loads(await process.stdout.readline())
            texts = [value.strip().encode() for value in values.values()]
            needles = [form[:60] for text in texts for form in (text, base64.b64encode(text))]
            found = await asyncio.to_thread(found_in, process.pid, [*needles, marker.encode()])
        finally:
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 30)
    assert answer["marker"] == marker
    assert found == {marker.encode()}
