"""What only a container engine knows: weights, swap, cpus by number, and remarks for its runtime."""

from typing import Any

import pytest
from tests.unit.compose.conftest import Repository


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ("mem_limit: 1m\nmemswap_limit: 2m", "memory_swap_bytes", 2**21),
        ("mem_limit: 1m\nmemswap_limit: 1m", "memory_swap_bytes", 2**20),
        ("mem_limit: 1m\nmemswap_limit: -1", "memory_swap_bytes", -1),
        ("memswap_limit: 0", "memory_swap_bytes", None),
        ("deploy: {resources: {limits: {memory: 1m}}}\nmemswap_limit: 3m", "memory_swap_bytes", 3 * 2**20),
        ("mem_swappiness: 0", "memory_swappiness", 0),
        ("mem_swappiness: '60'", "memory_swappiness", 60),
        ("cpu_shares: 73", "cpu_shares", 73),
        ("cpu_shares: 0", "cpu_shares", None),
        ("cpuset: 0-1,3", "cpuset", "0-1,3"),
        ("blkio_config: {weight: 300}", "block_io_weight", 300),
    ],
)
def test_limits(repository: Repository, attributes: str, field: str, value: Any):
    assert getattr(repository.service(attributes).resources, field) == value


def test_the_rest_of_what_an_engine_can_be_told(repository: Repository):
    service = repository.service(
        "oom_score_adj: 500\ndns_opt: [use-vc, 'ndots:2']\nannotations: [a=b, c]\npull_policy: every_12h"
    )
    assert service.oom_score_adj == 500
    assert service.dns_options == ("use-vc", "ndots:2")
    assert service.annotations == {"a": "b", "c": ""}
    assert service.pull_policy == "always"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ("memswap_limit: 1m", "is not within it"),
        ("mem_limit: 2m\nmemswap_limit: 1m", "is not within it"),
        ("mem_swappiness: 101", "no percentage"),
        ("cpu_shares: -1", "no weight"),
        ("cpuset: all", "no list of cpus"),
        ("cpus: 1\ncpu_quota: 50000", "exclude each other"),
        ("cpu_period: 20ms", "whole number"),
        ("oom_score_adj: 2000", "no score"),
        ("annotations: {io.kubernetes.cri.x: y}", "is refused"),
        ("annotations: {x.kubernetes.io/y: z}", "is refused"),
        ("cpus: 1\ndeploy: {resources: {limits: {memory: 1m}}}", "say different things"),
    ],
)
def test_what_cannot_be_is_said(repository: Repository, attributes: str, said: str):
    (problem,) = repository.problems(attributes)
    assert said in problem


def test_a_share_of_the_cpus_in_another_way(repository: Repository):
    assert repository.service("cpu_quota: 50000\ncpu_period: 100000").resources.cpus == 0.5
