"""Kill -9 in mid-build on a real cluster: the build goes on without Conductor, and whoever orders it again has it, once."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from tests.live.kaniko_builds import MakeWorkshop
from tests.live.kaniko_process import order_of

pytestmark = [pytest.mark.cluster, pytest.mark.crash, pytest.mark.timeout(600)]
RUN = "run-that-is-killed"
FROM = "FROM busybox:1.36\n"
SLEEPS = "RUN echo sleeping; sleep 15; date +%s%N >/made; echo awake\n"


@pytest.mark.parametrize("kind", ["wide", "narrow"])
async def test_a_build_survives_its_conductor_and_is_adopted(
    kind: str, make_workshop: MakeWorkshop, capsys: pytest.CaptureFixture[str]
):
    workshop = await make_workshop(kind)
    workshop.write("Dockerfile", FROM + SLEEPS)
    words = [kind, workshop.instance, str(workshop.checkout), workshop.repository, RUN]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.live.kaniko_process", *words, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = []
    async for line in process.stdout:
        said.append(line.decode().strip())
        if said[-1] == "sleeping":
            process.kill()
            break
    assert said[-1:] == ["sleeping"], f"the build did not come so far: {said[-5:]}"
    await process.communicate()
    (job,) = workshop.jobs()

    began = time.monotonic()
    order = await order_of(
        workshop.builder, checkout=workshop.checkout, repository=workshop.repository, run=RUN
    )
    made = await workshop.builder.build(order, on_line=workshop.on_line)
    seconds = time.monotonic() - began

    assert made.digest == workshop.in_registry(order)
    assert {one["metadata"]["uid"] for one in workshop.jobs()} <= {job["metadata"]["uid"]}, "built twice"
    assert "awake" in workshop.lines
    assert workshop.secrets_of_nobody() == []
    assert workshop.accounts() == []
    with capsys.disabled():
        print(f"\nadopted and ended after {seconds:.1f} s")  # noqa: T201 -- a figure
