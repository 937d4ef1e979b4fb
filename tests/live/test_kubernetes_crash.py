"""Kill -9 after every step of a run on a real cluster: it goes on to the same verdict, and no pod is made twice.

`-k one-shot` is done in a few minutes; `-k shop` is the whole shop, once for each of its steps.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from conductor import bootstrap
from conductor.domain.results import Counts
from conductor.domain.run import Status
from conductor.operations import runs
from conductor.operations.runs import RunView
from tests.live.cut import kill_after
from tests.live.kubernetes_runs import KUBECONFIG, Cluster, repository
from tests.live.shop import conductor
from tests.live.test_kubernetes_manifests import Server

pytestmark = [pytest.mark.cluster, pytest.mark.crash, pytest.mark.timeout(3600)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if not KUBECONFIG:
        pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
    server = Server(Path(KUBECONFIG), tmp_path)
    yield Cluster(tmp_path / "state", server)
    server.close()


def shown(cluster: Cluster, run: str) -> RunView:
    return asyncio.run(_shown(cluster.state, run))


async def _shown(state: Path, run: str) -> RunView:
    async with bootstrap.reading(bootstrap.load_settings(state)) as app:
        return await runs.show(app.world, run)


def times(view: RunView) -> Mapping[tuple[str, str], tuple[object, object]]:
    return {
        (step.name, step.subject): (step.started_at, step.ended_at) for step in view.steps if step.ended_at
    }


def counted(view: RunView) -> Sequence[tuple[str, Counts]]:
    return [(result.suite, result.counts) for result in view.results]


@pytest.mark.parametrize("example", ["one-shot", "shop"])
def test_a_run_killed_after_each_step_ends_with_the_verdict_that_it_would_have_had(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], example: str
) -> None:
    folder = str(repository(example, tmp_path))
    began = time.monotonic()
    whole = cluster.run(folder, "--no-cleanup")
    assert whole.outcome["verdict"] == "passed", whole.outcome
    tests = counted(shown(cluster, whole.run))
    workloads = Counter(cluster.pods(whole.namespace).values())
    cluster("stacks", "delete", whole.run)
    steps = sum(event["kind"] == "step.ended" for event in whole.events)
    kills = 0
    for number in range(1, steps + 1):
        command = [*conductor(), "run", folder, "--json", "--no-cleanup"]
        cut = kill_after(command, cluster.environment, number)
        before = shown(cluster, cut.run)
        namespace = whole.namespace.replace(whole.run, cut.run)
        if len(cut.steps) == number and before.row.status is not Status.ENDED:
            kills += 1
            pods = cluster.pods(namespace)
            resumed = cluster("runs", "resume", cut.run)
            where = f"killed after step {number} {cut.steps[-1]}: {resumed.stdout[-2000:]}{resumed.stderr[-2000:]}"
            after = shown(cluster, cut.run)
            found = cluster.pods(namespace)
            assert resumed.returncode == 0, where
            assert after.report is not None, where
            assert after.report.outcome.verdict == whole.outcome["verdict"], where
            assert counted(after) == tests, where
            assert Counter(found.values()) == workloads, where
            assert pods.keys() | cluster.pods_that_were(namespace) <= found.keys(), where
            again = {step for step, when in times(before).items() if times(after)[step] != when}
            assert not again, f"done twice: {again}; {where}"
        removed = cluster("stacks", "delete", cut.run)
        assert removed.returncode == 0, removed.stdout + removed.stderr
        assert cluster.left(namespace) == []
    with capsys.disabled():
        taken = time.monotonic() - began
        print(f"\n{example}: killed {kills} times in {steps} steps, {taken:.0f} s in all")  # noqa: T201
    assert kills >= steps - 2
