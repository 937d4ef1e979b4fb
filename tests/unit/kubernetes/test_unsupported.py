"""What is not carried is said, with the reason and what to do instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.kubernetes.made import stack_of
from tests.unit.kubernetes.pod_security import CAPABILITIES, SYSCTLS

from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.unsupported import (
    BASELINE_CAPABILITIES,
    BASELINE_SYSCTLS,
    unsupported,
)
from conductor.domain.stack import Build, Job, Network, Resources, Service, SharedMounts, Stack

A = Service(name="a", image="x")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"cap_add": ("SYS_ADMIN",)}, "cap_add"),
        ({"security_opt": ("seccomp:unconfined",)}, "security_opt"),
        ({"user": "node"}, "user"),
        ({"user": "1000:node"}, "user"),
        ({"group_add": ("wheel",)}, "group_add"),
        ({"ulimits": {"nofile": (1, 2)}}, "ulimits"),
        ({"resources": Resources(pids=5)}, "pids_limit"),
        ({"resources": Resources(memory_bytes=5, memory_swap_bytes=10)}, "memswap_limit"),
        ({"resources": Resources(memory_swap_bytes=-1)}, "memswap_limit"),
        ({"resources": Resources(memory_swappiness=5)}, "mem_swappiness"),
        ({"resources": Resources(cpuset="0")}, "cpuset"),
        ({"resources": Resources(block_io_weight=10)}, "blkio_config.weight"),
        ({"oom_score_adj": 5}, "oom_score_adj"),
        ({"sysctls": {"kernel.msgmax": "1"}}, "sysctls.kernel.msgmax"),
        ({"command": ()}, "command"),
        ({"environment": {"A B": "x"}}, "environment.A B"),
        ({"environment": {"..a": "x"}}, "environment...a"),
        ({"network_of": "b", "networks": {}}, "network_mode"),
        ({"ipc_of": "b"}, "ipc"),
        ({"pid_of": "b"}, "pid"),
        ({"mac_address": "02:42:ac:11:00:03"}, "mac_address"),
        ({"volumes_from": (SharedMounts(service="b"),)}, "volumes_from"),
        ({"build": Build(shm_bytes=5)}, "build.shm_size"),
    ],
)
def test_what_is_not_carried_is_said_with_the_reason(changes: dict[str, Any], path: str):
    found = unsupported(stack_of(replace(A, **changes)))
    assert [entry.path for entry in found] == [f"services.a.{path}"]
    assert found[0].why
    assert found[0].instead


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "root:root"},
        {"resources": Resources(memory_bytes=5, memory_swap_bytes=5)},
        {"resources": Resources(memory_swappiness=0)},
        {"resources": Resources(cpu_shares=512)},
        {"networks": {}},
        {"ipc_shareable": True},
        {"stop_signal": "SIGINT", "init": True},
        {"annotations": {"a": "b"}},
        {"dns_options": ("ndots:2",)},
    ],
)
def test_what_is_carried_is_not_refused(changes: dict[str, Any]):
    assert unsupported(stack_of(replace(A, **changes))) == ()


def test_a_suite_that_bears_a_services_name_is_refused():
    job = Job(workload=Service(name="a", image="x"), suite="tests", time_limit=timedelta(minutes=1))
    assert [entry.path for entry in unsupported(stack_of(A), [job])] == ["tests.tests.name"]


def test_addresses_of_both_kinds_are_refused_where_the_cluster_has_one():
    stack = Stack(name="s", services=(A,), networks=(Network(name="default", ipv6=True),))
    assert [entry.path for entry in unsupported(stack)] == ["networks.default.enable_ipv6"]
    assert unsupported(stack, site=Site(dual_stack=True)) == ()


def test_nothing_is_let_through_that_pod_security_forbids():
    assert BASELINE_CAPABILITIES == CAPABILITIES
    assert BASELINE_SYSCTLS <= SYSCTLS
