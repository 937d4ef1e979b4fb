"""The Conductor that `kubernetes` measures: a process with the durable workflow, records in SQLite and the kubernetes engine.

    python -m benchmarks.kubernetes_process FOLDER RATE SECONDS CROWD

`CONDUCTOR_*` say which cluster and which state folder. Runs of the repositories in the folder are asked for as the command line asks for
them: RATE a second for SECONDS, or, where RATE is 0, CROWD at once. What came of them is written to `runs.json` in the folder.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from conductor import bootstrap
from conductor.domain.run import Cleanup
from conductor.errors import ConductorError
from conductor.operations import start_run
from conductor.operations.start_run import RunRequest
from conductor.ports.world import World


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of one run: times are seconds since 1970, `asked` when somebody wanted it, `accepted` when it was named and recorded."""

    namespace: str
    asked: float
    accepted: float
    ended: float
    verdict: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Played:
    """All runs, and what this process took for them: seconds of processor, those of the git processes apart, and its largest size."""

    runs: Sequence[Came]
    seconds: float
    processor: float
    git: float
    memory_mib: float


async def main(folder: Path, rate: float, seconds: float, crowd: int) -> None:
    repositories = sorted((folder / "repositories").iterdir())
    async with bootstrap.running(bootstrap.load_settings()) as app:
        await one(app.world, repositories[0], time.time())  # connects and imports, and is not counted
        (folder / "begun").touch()
        before, began = _processor(), time.time()
        runs: list[asyncio.Task[Came]] = []
        async with asyncio.TaskGroup() as group:
            async for number in _turns(rate, seconds, crowd):
                repository = repositories[number % len(repositories)]
                runs.append(group.create_task(one(app.world, repository, time.time())))
        own, git = (after - earlier for after, earlier in zip(_processor(), before, strict=True))
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        taken = time.time() - began
    came = [run.result() for run in runs]
    played = Played(runs=came, seconds=taken, processor=own, git=git, memory_mib=size)
    (folder / "runs.json").write_text(json.dumps(asdict(played)))


async def _turns(rate: float, seconds: float, crowd: int) -> AsyncIterator[int]:
    """Yield the number of each run when its time has come."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(int(rate * seconds) if rate else crowd):
        if rate:
            await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
        yield number


async def one(world: World, repository: Path, asked: float) -> Came:
    """Run one from request to verdict."""
    namespace, accepted, verdict, problem = "", 0.0, "", ""
    try:
        run = await start_run.request(
            world, RunRequest(location=str(repository), ref="main", cleanup=Cleanup.ALWAYS)
        )
        namespace, accepted = run.namespace, run.requested_at.timestamp()
        handle = await start_run.start_or_resume(world, run)
        outcome = await handle.result()
        verdict, problem = outcome.verdict, outcome.message
    except ConductorError as error:
        problem = error.message
    return Came(
        namespace=namespace,
        asked=asked,
        accepted=accepted,
        ended=time.time(),
        verdict=verdict,
        problem=problem,
    )


def _processor() -> tuple[float, float]:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
