"""Many runs on Kubernetes: the engine against the fake API server, which is a process of its own with a node that runs nothing.

A run here is what the engine does of one: namespace with its bounds, a service, a suite, watching to the suite's end, deletion. First
three are begun each second, then 500 at once. The time is from the moment a run is handed to the engine to the creation of its first pod,
as the server saw it. Server and engine share this machine's processors, so a slow server shows here as a slow engine: its processor time
stands beside. `--long` holds the rate for 180 s instead of 20.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.lease import Lease
from conductor.domain.stack import Job, Network, Service, Stack
from conductor.domain.states import Phase
from conductor.errors import ConductorError
from conductor.ports.engine import Place

ROOT = Path(__file__).parents[1]
RATE = 3
SHORT_SECONDS, LONG_SECONDS = 20, 180
CROWD = 500
TARGET_SECONDS = 1.0
WRITES = ("create", "patch", "update", "delete", "deletecollection")

SERVICE = Service(name="web", image="app:1", command=("sh", "-c", "sleep infinity"))
SUITE = Job(
    workload=Service(name="tests", image="app:1", command=("sh", "-c", "echo done; exit 0")),
    time_limit=timedelta(minutes=5),
)
STACK = Stack(name="load", services=(SERVICE,), networks=(Network(name="default"),))


@dataclass
class Load:
    """What was begun, and what came of it."""

    engine: KubernetesEngine
    began: dict[str, float]
    ended: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    async def try_run(self, name: str) -> None:
        """Run, and note what went wrong: a crowd that is too large is a figure too."""
        try:
            await self.run(name)
        except ConductorError as error:
            self.problems[error.message.rpartition(": ")[2]] += 1

    async def run(self, name: str) -> None:
        place = Place(namespace=f"conductor-{name}", run=name)
        now = datetime.now(UTC)
        lease = Lease(
            namespace=place.namespace,
            run=name,
            repository="acme/load",
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        self.began[place.namespace] = time.time()
        await self.engine.create_namespace(place, lease)
        await self.engine.apply(place, STACK, SERVICE)
        await self.engine.start_job(place, STACK, SUITE)
        await self._until_ended(place)
        await self.engine.delete_namespace(place.namespace)
        self.ended += 1

    async def _until_ended(self, place: Place) -> None:
        async with aclosing(self.engine.watch(place)) as watch:
            async for states in watch:
                if "tests" in states and states["tests"].phase is Phase.ENDED:
                    return


def main() -> None:
    seconds = LONG_SECONDS if "--long" in sys.argv else SHORT_SECONDS
    print(
        f"{'':24}  runs   p50       p99       writes  watches  processor of the engine   of the server   memory"
    )
    _measured(f"{RATE} a second for {seconds} s", lambda load: steady(load, seconds))
    _measured(f"{CROWD} at once", crowd)
    print(f"\ntarget: p99 under {TARGET_SECONDS:.0f} s at {RATE} a second")


async def steady(load: Load, seconds: int) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as runs:
        for number in range(RATE * seconds):
            await asyncio.sleep(max(0.0, begun + number / RATE - loop.time()))
            runs.create_task(load.try_run(f"steady-{number}"))


async def crowd(load: Load) -> None:
    async with asyncio.TaskGroup() as runs:
        for number in range(CROWD):
            runs.create_task(load.try_run(f"crowd-{number}"))


def _measured(title: str, play) -> None:  # noqa: ANN001
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        before = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        server = subprocess.Popen([sys.executable, "-m", "tests.kubernetes.fake_api", folder], cwd=ROOT)
        try:
            _wait_for(Path(folder) / "kubeconfig")
            load = asyncio.run(_play(Path(folder) / "kubeconfig", play))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
        figures = json.loads((Path(folder) / "figures.json").read_text())
    after, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    shares = {"engine": _processor(before, after), "server": _processor(children, ended)}
    _tell(title, load, figures, **shares, memory_mb=after.ru_maxrss // 1024)


async def _play(kubeconfig: Path, play) -> Load:  # noqa: ANN001
    engine = KubernetesEngine(Connection(kubeconfig=str(kubeconfig)), site=Site(instance="load"))
    load = Load(engine, {})
    try:
        await load.run("first")  # connects and imports, and is not counted
        load.began.clear()
        await play(load)
    finally:
        await engine.aclose()
    return load


def _tell(title: str, load: Load, figures: dict, *, engine: float, server: float, memory_mb: int) -> None:  # type: ignore[type-arg]
    made = figures["first_pods"]
    waits = [made[namespace] - began for namespace, began in load.began.items() if namespace in made]
    asked = Counter[str]()
    for words, count in figures["asked"].items():
        asked[words.partition(" ")[0]] += count
    runs = len(load.began)
    writes = sum(asked[verb] for verb in WRITES) / (runs + 1)
    shares = statistics.quantiles(waits, n=100)
    print(
        f"{title:24}  {runs:4}  {shares[49] * 1000:5.0f} ms  {shares[98] * 1000:5.0f} ms  {writes:6.1f}  {asked['watch'] / runs:7.2f}"
        f"  {engine / runs * 1000:7.1f} ms a run         {server / runs * 1000:7.1f} ms a run  {memory_mb} MB",
        flush=True,
    )
    for problem, count in load.problems.items():
        print(f"{'':24}  {count} of them did not end: {problem}")
    assert load.ended + load.problems.total() == runs + 1


def _processor(before: resource.struct_rusage, after: resource.struct_rusage) -> float:
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _wait_for(file: Path) -> None:
    until = time.monotonic() + 30
    while not file.exists():
        if time.monotonic() > until:
            sys.exit("the fake API server did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
