from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Resources, Restart


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        ("100", 100), ("'100'", 100), ("100b", 100), ("1k", 1024), ("1kb", 1024), ("1KiB", 1024), ("64m", 2**26), ("64MB", 2**26),
        ("1.5g", 3 * 2**29), ("1GiB", 2**30), ("1 g", 2**30), ("1t", 2**40),
    ],
)  # fmt: skip
def test_sizes(repository: Repository, written: str, bytes_: int):
    assert repository.service(f"mem_limit: {written}").resources.memory_bytes == bytes_


@pytest.mark.parametrize("written", ["x", "1q", "-1", "1.5.5m", "99999999t", "[1]", "true"])
def test_what_is_no_size_is_said(repository: Repository, written: str):
    (problem,) = repository.problems(f"mem_limit: {written}")
    assert "no size" in problem or "more than any machine" in problem


@pytest.mark.parametrize(
    ("written", "resources"),
    [
        ("{mem_limit: 64m, mem_reservation: 32m, cpus: 0.5, pids_limit: 9, shm_size: 1m}",
         Resources(memory_bytes=2**26, reserved_memory_bytes=2**25, cpus=0.5, pids=9, shm_bytes=2**20)),
        ("{deploy: {resources: {limits: {memory: 64m, cpus: '1.5', pids: 9}, reservations: {memory: 32m, cpus: 0.25}}}}",
         Resources(memory_bytes=2**26, reserved_memory_bytes=2**25, cpus=1.5, pids=9, reserved_cpus=0.25)),
        ("{cpu_quota: 50000}", Resources(cpus=0.5)),
        ("{cpu_quota: 50000, cpu_period: 25000}", Resources(cpus=2.0)),
        ("{mem_limit: 0, pids_limit: -1, cpus: 0}", Resources()),
        ("{mem_limit: 1024k, deploy: {resources: {limits: {memory: 1m}}}}", Resources(memory_bytes=2**20)),
    ],
)  # fmt: skip
def test_limits_in_their_old_and_new_places(repository: Repository, written: str, resources: Any):
    text = f"services: {{web: {{image: app, {written[1:]}}}"
    loaded = repository.loaded(text)
    assert not loaded.problems
    assert loaded.stack.service("web").resources == resources


def test_limits_that_contradict_each_other_are_said(repository: Repository):
    (problem,) = repository.problems("mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}")
    assert "different things" in problem


@pytest.mark.parametrize(
    ("written", "rule", "attempts"),
    [
        ("restart: 'no'", Restart.NO, None),
        ("restart: no", Restart.NO, None),
        ("restart: always", Restart.ALWAYS, None),
        ("restart: unless-stopped", Restart.UNLESS_STOPPED, None),
        ("restart: on-failure", Restart.ON_FAILURE, None),
        ("restart: on-failure:3", Restart.ON_FAILURE, 3),
        ("deploy: {restart_policy: {condition: none}}", Restart.NO, None),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}", Restart.ON_FAILURE, 3),
        ("deploy: {restart_policy: {condition: any}}", Restart.ALWAYS, None),
        ("deploy: {restart_policy: {delay: 5s}}", Restart.NO, None),
        ("deploy: {restart_policy: {condition: unless-stopped}}", Restart.UNLESS_STOPPED, None),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", Restart.NO, None),
        ("init: true", Restart.NO, None),
    ],
)
def test_restart_rules(repository: Repository, written: str, rule: Any, attempts: int | None):
    service = repository.service(written)
    assert (service.restart, service.restart_attempts) == (rule, attempts)


@pytest.mark.parametrize("written", ["sometimes", "always:3", "on-failure:x", "on-failure:", "3"])
def test_what_is_no_restart_rule_is_said(repository: Repository, written: str):
    assert len(repository.problems(f"restart: '{written}'")) == 1


@pytest.mark.parametrize(
    ("written", "replicas"),
    [("scale: 3", 3), ("deploy: {replicas: 2}", 2), ("deploy: {replicas: 0}", 0), ("init: true", 1)],
)
def test_replicas(repository: Repository, written: str, replicas: int):
    assert repository.service(written).replicas == replicas


@pytest.mark.parametrize("written", ["scale: -1", "scale: x", "scale: 3\ndeploy: {replicas: 2}"])
def test_what_is_no_number_of_replicas_is_said(repository: Repository, written: str):
    assert len(repository.problems(written)) == 1
