"""Logs, commands, copies and ports of pods on a real cluster, under the shipped account.

What is needed is said in `test_kubernetes_test_job.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
import tarfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from conductor.adapters.kubernetes.api.connection import connect
from conductor.adapters.kubernetes.api.kinds import POD
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine
from conductor.domain.stack import Restart, Service, Stack
from conductor.domain.states import Phase
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import Place
from tests.kubernetes.clusters import IMAGE, KUBECONFIG, TOOLS
from tests.kubernetes.installed import Installed, installed

__all__ = ["installed"]
pytestmark = pytest.mark.cluster
PATIENCE = 60.0
"""Seconds: no wait is longer."""
SERVES = "mkdir -p /tmp/w; head -c 5000000 /dev/urandom >/tmp/w/big; exec httpd -f -p 8080 -h /tmp/w"


@dataclass
class Bed:
    engine: KubernetesEngine
    place: Place

    async def raise_(self, *services: Service) -> None:
        stack = Stack(name="streams", services=services)
        for service in services:
            await self.engine.apply(self.place, stack, service)

    async def until(self, name: str, phase: Phase) -> None:
        async with asyncio.timeout(PATIENCE), aclosing(self.engine.watch(self.place)) as watch:
            async for states in watch:
                if name in states and states[name].phase is phase:
                    return

    async def log(
        self, name: str, *, since: datetime | None = None, follow: bool = False, most: int = 10**6
    ) -> list[LogLine]:
        lines = []
        async with (
            asyncio.timeout(PATIENCE),
            aclosing(self.engine.logs(self.place, name, since=since, follow=follow)) as source,
        ):
            async for line in source:
                lines.append(line)
                if len(lines) == most:
                    break
        return lines

    async def delete_pod(self, name: str) -> None:
        admin = connect(KUBECONFIG)
        await admin.delete(POD, name, self.place.namespace)
        await admin.aclose()

    async def copied(self, name: str, path: str) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return b"".join([chunk async for chunk in self.engine.copy_out(self.place, name, path)])


def does(name: str, script: str, **more: object) -> Service:
    grace = timedelta(seconds=1)
    return Service(
        name=name, image=IMAGE, entrypoint=("sh", "-c"), command=(script,), stop_grace_period=grace, **more
    )


@pytest.fixture
async def bed(installed: Installed) -> AsyncIterator[Bed]:
    name = f"j{uuid4().hex[:10]}"
    place = Place(namespace=f"j-conductor-{name}", run=name)
    made = Bed(installed.engine(), place)
    now = datetime.now(UTC)
    lease = Lease(
        namespace=place.namespace,
        run=name,
        repository="acme/shop",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    await made.engine.create_namespace(place, lease)
    try:
        yield made
    finally:
        await made.engine.delete_namespace(place.namespace)
        await made.engine.aclose()


async def test_a_log_is_whole_and_can_be_read_on_from_any_line(bed: Bed) -> None:
    hard = "printf 'a\\rb\\r\\n\\342\\200\\250x\\377\\n'; head -c 40000 /dev/zero | tr '\\0' z; echo"
    await bed.raise_(does("web", f"echo first; sleep 1; {hard}; seq 3000; printf last"))
    followed = await bed.log("web", follow=True)
    texts = [line.text for line in followed]
    assert texts == ["first", "a\rb", "\u2028x�", "z" * 40000, *map(str, range(1, 3001)), "last"]
    assert await bed.log("web") == followed
    for place in random.Random(7).sample(range(len(followed)), 10):  # noqa: S311 -- no secret
        assert await bed.log("web", since=followed[place].at) == followed[place + 1 :]


async def test_restarts_of_a_container_are_one_log(bed: Bed) -> None:
    await bed.raise_(does("web", "echo up; sleep 1; echo down; exit 1", restart=Restart.ALWAYS))
    lines = await bed.log("web", follow=True, most=6)
    assert [line.text for line in lines] == ["up", "down"] * 3
    assert [line.at for line in lines] == sorted({line.at for line in lines})


async def test_pods_that_were_made_again_are_one_log(bed: Bed) -> None:
    await bed.raise_(does("web", "hostname; exec sleep 1000", restart=Restart.ALWAYS))
    following = asyncio.create_task(bed.log("web", follow=True, most=2))
    await bed.until("web", Phase.RUNNING)
    (name,) = [line.text for line in await bed.log("web", follow=True, most=1)]
    await bed.delete_pod(name)
    first, second = [line.text for line in await following]
    assert (first, second != name) == (name, True)


async def test_commands_have_streams_input_an_exit_code_and_a_time_limit(bed: Bed) -> None:
    await bed.raise_(does("web", "exec sleep 1000"))
    await bed.until("web", Phase.RUNNING)
    engine, place = bed.engine, bed.place
    done = await engine.exec(place, "web", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.exit_code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    data = os.urandom(3_000_000)
    echoed = await engine.exec(place, "web", ["cat"], stdin=data)
    assert (echoed.exit_code, echoed.stdout) == (0, data)
    assert (await engine.exec(place, "web", ["sleep", "100"], timeout=timedelta(seconds=1))).exit_code == 124
    missing = await engine.exec(place, "web", ["no-such-program"])
    assert (missing.exit_code, b"no-such-program" in missing.stderr) == (127, True)


async def test_archives_go_in_and_come_out_byte_for_byte(bed: Bed) -> None:
    await bed.raise_(does("web", "exec sleep 1000"), does("over", "exit 0"))
    await bed.until("web", Phase.RUNNING)
    data, buffer = os.urandom(2_000_000), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("in/blob")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    await bed.engine.copy_in(bed.place, "web", "/tmp", buffer.getvalue())
    with tarfile.open(fileobj=io.BytesIO(await bed.copied("web", "/tmp/in"))) as out:
        assert out.extractfile("in/blob").read() == data
    with pytest.raises(NotFoundError):
        await bed.copied("web", "/nowhere")
    await bed.until("over", Phase.ENDED)
    with pytest.raises(NotFoundError):
        await bed.engine.copy_in(bed.place, "over", "/tmp", buffer.getvalue())


async def test_an_image_without_tar_is_said_with_what_to_do(bed: Bed) -> None:
    bare = Service(
        name="bare",
        image=TOOLS,
        entrypoint=("/bin/busybox",),
        command=("sleep", "1000"),
        stop_grace_period=timedelta(seconds=1),
    )
    await bed.raise_(bare)
    await bed.until("bare", Phase.RUNNING)
    with pytest.raises(RefusedError) as refused:
        await bed.copied("bare", "/bin")
    assert refused.value.remedy


async def test_a_port_is_reached_by_many_at_once_and_outlives_the_pod(bed: Bed) -> None:
    await bed.raise_(does("web", SERVES, restart=Restart.ALWAYS))
    await bed.until("web", Phase.RUNNING)
    address = await bed.engine.url_of(bed.place, "web", 8080)

    def get() -> str:
        with urllib.request.urlopen(f"http://{address}/big", timeout=PATIENCE) as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    async def served() -> str:
        summed = await bed.engine.exec(bed.place, "web", ["sha256sum", "/tmp/w/big"])
        return summed.stdout.split()[0].decode()

    assert {*await asyncio.gather(*(asyncio.to_thread(get) for _ in range(6)))} == {await served()}
    assert await bed.engine.url_of(bed.place, "web", 8080) == address
    before = await served()
    name = (await bed.engine.exec(bed.place, "web", ["hostname"])).stdout.decode().strip()
    await bed.delete_pod(name)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if (now := await served()) not in (before, ""):
                    break
            except (NotFoundError, IndexError):
                await asyncio.sleep(0.2)  # a cluster is waited for
    assert await asyncio.to_thread(get) == now


async def test_ports_of_what_does_not_run_are_not_found(bed: Bed) -> None:
    with pytest.raises(NotFoundError):
        await bed.engine.url_of(bed.place, "nobody", 80)
