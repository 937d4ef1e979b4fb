"""A suite that took a service's place shares folders and volumes with the stack, over the fake API server and on a real cluster."""

from __future__ import annotations

import os
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.engine_contract import all_of, at_last, ended, lease, running
from tests.contract.test_kubernetes_engine import KubernetesSubject, cluster, node_images, subject
from tests.kubernetes.clusters import IMAGE

from conductor.compose.reader import Checkout
from conductor.plan.blueprint import draw_up

__all__ = ["cluster", "node_images", "subject"]
COMPOSE = f"""
services:
  web:
    image: {IMAGE}
    volumes: ["./shared:/shared"]
    stop_grace_period: 1s
    command:
      - sh
      - -c
      - |
        cat /shared/committed > /shared/copied
        until [ -e /shared/asked ]; do sleep 0.1; done
        echo seen by web; exec sleep 1000
  e2e:
    image: {IMAGE}
    volumes: ["./shared:/seen"]
"""
LARGE_BYTES = 1_200_000
"""Of what does not compress: no ConfigMap holds it, and Conductor fills it in."""
TESTS = "until [ -e /seen/copied ]; do sleep 0.1; done; cat /seen/copied; echo > /seen/asked"


@pytest.fixture
async def raised(subject: KubernetesSubject, tmp_path: Path) -> KubernetesSubject:
    """A namespace with a checkout in which a suite binds the folder of one other service."""
    (tmp_path / "repository/shared").mkdir(parents=True)
    (tmp_path / "repository/shared/committed").write_text("from the repository\n")
    (tmp_path / "repository/docker-compose.qa.yml").write_text(COMPOSE)
    plan = f"version: 1\ntests: {{service: e2e, command: [sh, -c, '{TESTS}']}}\n"
    (tmp_path / "repository/.conductor.yaml").write_text(plan)
    subject.place = replace(subject.place, checkout=str(tmp_path / "repository"))
    await subject.engine.create_namespace(subject.place, lease(subject.place))
    return subject


async def test_a_folder_that_conductor_fills_in_is_roots_and_as_it_was_committed_for_a_service_and_a_suite(
    raised: KubernetesSubject,
) -> None:
    engine, place = raised.engine, raised.place
    large = Path(place.checkout) / "shared/large"
    large.write_bytes(os.urandom(LARGE_BYTES))
    large.chmod(0o755)
    blueprint = draw_up(Checkout(Path(place.checkout)), name="s", trusted=None, variables={}, engine=engine)
    command = ("sh", "-c", 'cd "$0" && wc -c < large && stat -c "%u %a" large . && touch made', "/shared")
    (web,), (job,) = blueprint.stack.services, blueprint.jobs
    web = replace(web, entrypoint=command[:1], command=command[1:])
    seen = replace(job.workload, entrypoint=command[:1], command=(*command[1:3], "/seen"))
    stack = replace(blueprint.stack, services=(web,))
    await engine.apply(place, stack, web)
    assert (await at_last(raised, ended("web"))).exit_code == 0
    await engine.start_job(place, stack, replace(job, workload=seen))
    assert (await at_last(raised, ended(seen.name))).exit_code == 0
    for name in ("web", seen.name):
        told = [line.text for line in await all_of(engine.logs(place, name))]
        assert told == [str(LARGE_BYTES), "0 755", "0 755"]


async def test_a_suite_and_the_only_service_that_binds_its_folder_see_what_the_other_writes(
    raised: KubernetesSubject,
) -> None:
    engine, place = raised.engine, raised.place
    blueprint = draw_up(Checkout(Path(place.checkout)), name="s", trusted=None, variables={}, engine=engine)
    (web,), (job,) = blueprint.stack.services, blueprint.jobs
    await engine.apply(place, blueprint.stack, web)
    await at_last(raised, running("web"))
    await engine.start_job(place, blueprint.stack, job)
    assert (await at_last(raised, ended(job.workload.name))).exit_code == 0
    assert [line.text for line in await all_of(engine.logs(place, job.workload.name))] == [
        "from the repository"
    ]
    async with aclosing(engine.logs(place, "web", follow=True)) as lines:
        assert (await anext(lines)).text == "seen by web"
