"""A program that is killed: a run with two builds, a stack that waits for them, and the tests, on a real state folder.

    python durable_story.py FOLDER start|resume|cancel|orphans [RUN]

Each step writes what it begins and ends to `trace.jsonl`. CONDUCTOR_KILL_AT=POINT kills the process there with -9: `in:STEP` in its
middle, `after:STEP` when it is recorded. CONDUCTOR_HOLD_AT=STEP lets that step wait until the file `go` is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from conductor import durable
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.fake.store import FakeStore
from conductor.domain.run import Run, Source
from conductor.errors import ConductorError
from conductor.ports import world

FOLDER = Path(sys.argv[1])
BUILDS = ("backend", "tests")


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())


def trace(run: Run, what: str, step: str) -> None:
    line = json.dumps({"run": run.id, "what": what, "step": step, "pid": os.getpid()})
    with (FOLDER / "trace.jsonl").open("a") as file:
        file.write(line + "\n")


def point(name: str) -> None:
    if os.environ.get("CONDUCTOR_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)


async def act(run: Run, step: str) -> str:
    trace(run, "begin", step)
    await asyncio.sleep(0)
    point(f"in:{step}")
    while os.environ.get("CONDUCTOR_HOLD_AT") == step and not (FOLDER / "go").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    trace(run, "end", step)
    return step


@durable.step("clone")
async def clone(run: Run) -> str:
    return await act(run, "clone")


@durable.step("make-image", subject=lambda _run, name: name)
async def make_image(run: Run, name: str) -> str:
    return await act(run, f"make {name}")


@durable.step("push-image", subject=lambda _run, name: name)
async def push_image(run: Run, name: str) -> str:
    return await act(run, f"push {name}")


@durable.step("raise-stack")
async def raise_stack(run: Run, builds: list[str]) -> list[str]:
    trace(run, "begin", "wait")
    images = [await durable.outcome_of(build, build_image) for build in builds]
    await act(run, "stack")
    return images


@durable.step("run-tests")
async def run_tests(run: Run) -> str:
    return await act(run, "tests")


@durable.workflow("build-image")
async def build_image(run: Run, name: str) -> str:
    await make_image(run, name)
    point(f"after:make {name}")
    pushed = await push_image(run, name)
    point(f"after:push {name}")
    return pushed


@durable.workflow("suite")
async def suite(run: Run) -> str:
    done = await run_tests(run)
    point("after:tests")
    return done


@durable.workflow("story")
async def story(run: Run) -> list[str]:
    await clone(run)
    point("after:clone")
    builds = [
        (await durable.start(build_image, run, name, id=f"{run.workflow_id}/{name}")).id for name in BUILDS
    ]
    point("after:started builds")
    images = await raise_stack(run, builds)
    point("after:stack")
    tests = await durable.start(suite, run, id=f"{run.workflow_id}/suite")
    point("after:started tests")
    last = await tests.result()
    point("after:all")
    return [*images, last]


async def main(command: str, name: str) -> object:
    run = Run(
        id=name,
        repository="shop",
        source=Source(location="/"),
        principal="kim",
        requested_at=datetime.now(UTC),
    )
    match command:
        case "start":
            return await (await durable.start(story, run, id=run.workflow_id)).result()
        case "resume":
            await durable.resume(run.workflow_id)
            return await durable.outcome_of(run.workflow_id, story)
        case "cancel":
            return await durable.cancel(run.workflow_id)
        case "orphans":
            return await durable.orphans()
    raise ValueError(command)


async def launched(command: str, name: str) -> int:
    world.install(SimpleNamespace(clock=Clock(), store=FakeStore(), secrets=FakeSecrets()))  # type: ignore[arg-type]
    await durable.launch(FOLDER)
    try:
        answer, code = await main(command, name), 0
    except ConductorError as error:
        answer, code = f"{error.code}: {error.message}", error.exit_code
    await durable.shutdown()
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(launched(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "shop-k3v9qd")))
