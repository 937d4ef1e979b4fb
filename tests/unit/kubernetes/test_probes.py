"""Health checks, with Compose's times and without Kubernetes' killing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.kubernetes.made import container, refused

from conductor.domain.stack import Condition, Dependency, Healthcheck, Service

CHECK = Healthcheck(
    test=("CMD", "ok", "$(x)"), interval=timedelta(seconds=10), timeout=timedelta(seconds=2), retries=4
)
A = Service(name="a", image="x", healthcheck=CHECK)


def seconds(start_period: float, start_interval: float = 5, interval: float = 10) -> tuple[int, int]:
    check = replace(
        CHECK,
        start_period=timedelta(seconds=start_period),
        start_interval=timedelta(seconds=start_interval),
        interval=timedelta(seconds=interval),
    )
    made = container(replace(A, healthcheck=check))
    return made["startupProbe"]["periodSeconds"], made["readinessProbe"]["periodSeconds"]


def test_a_health_check_makes_a_pod_ready_and_never_kills_it():
    made = container(A)
    assert "livenessProbe" not in made
    assert made["startupProbe"]["failureThreshold"] == 1_000_000_000
    assert made["readinessProbe"] == {
        "exec": {"command": ["ok", "$(x)"]},
        "periodSeconds": 10,
        "timeoutSeconds": 2,
        "failureThreshold": 4,
    }


def test_a_shells_check_is_run_by_the_images_shell():
    made = container(replace(A, healthcheck=replace(CHECK, test=("CMD-SHELL", "a || b"))))
    assert made["readinessProbe"]["exec"]["command"] == ["/bin/sh", "-c", "a || b"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [((0,), (10, 10)), ((30,), (5, 10)), ((30, 20), (10, 10)), ((30, 0.2, 0.5), (1, 1))],
)
def test_until_it_is_healthy_a_container_is_looked_at_more_often_only_in_its_start_period(
    times: tuple[float, ...], expected: tuple[int, int]
):
    assert seconds(*times) == expected


def test_a_check_that_is_switched_off_is_none():
    assert "readinessProbe" not in container(replace(A, healthcheck_disabled=True))
    assert "readinessProbe" not in container(replace(A, healthcheck=replace(CHECK, test=("NONE",))))


def test_an_images_own_check_is_refused_where_somebody_relies_on_it():
    assert refused(replace(A, healthcheck=replace(CHECK, test=()))) == ["services.a.healthcheck"]
    waiting = Service(name="b", image="x", depends_on=(Dependency(service="a", condition=Condition.HEALTHY),))
    assert refused(replace(A, healthcheck=None), waiting) == ["services.b.depends_on.a.condition"]
    assert refused(A, waiting) == []
