"""What is reserved, over time, and what that costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.blueprint import Blueprint
from conductor.domain.cost import GIB, Cost, Held, Tariff, awake_for, cost_of_run, cost_of_stack, held_by
from conductor.domain.plan import Plan
from conductor.domain.stack import Job, Resources, Service, Stack
from conductor.reports.words import cost_in_words

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TARIFF = Tariff(cpu_hour=0.04, gib_hour=0.01, currency="EUR")


def service(name: str = "db", replicas: int = 1, **resources: Any) -> Service:
    return Service(name=name, image="node", resources=Resources(**resources), replicas=replicas)


def blueprint(*services: Service, job: Service | None = None) -> Blueprint:
    jobs = (Job(workload=job, suite="api", time_limit=HOUR),) if job else ()
    return Blueprint(plan=Plan(), stack=Stack(name="shop", services=services), jobs=jobs)


@pytest.mark.parametrize(
    ("resources", "held"),
    [
        (
            {"reserved_cpus": 0.5, "cpus": 2.0, "reserved_memory_bytes": GIB, "memory_bytes": 2 * GIB},
            (0.5, GIB),
        ),
        ({"cpus": 2.0, "memory_bytes": 2 * GIB}, (2.0, 2 * GIB)),
        ({}, (0.05, 64 * 2**20)),
    ],
    ids=["reserved", "limited", "neither"],
)
def test_a_service_holds_what_it_reserves_else_its_limit_else_what_the_tariff_takes(
    resources: dict[str, Any], held: tuple[float, int]
):
    assert held_by(service(**resources), TARIFF) == Held(cpus=held[0], memory_bytes=held[1])


def test_each_replica_counts():
    assert held_by(service(replicas=3, cpus=1.0, memory_bytes=GIB), TARIFF) == Held(
        cpus=3.0, memory_bytes=3 * GIB
    )
    assert held_by(service(replicas=0, cpus=1.0, memory_bytes=GIB), TARIFF) == Held()


def test_a_run_costs_its_services_while_the_namespace_stood_and_its_suites_while_they_ran():
    job = service("tests", cpus=4.0, memory_bytes=2 * GIB)
    made = blueprint(service(cpus=1.0, memory_bytes=GIB), job=job)
    cost = cost_of_run(made, HOUR, TARIFF, suites={"api": HOUR / 2})
    assert cost == Cost(
        cpu_hours=3.0, gib_hours=2.0, seconds=3600.0, price=pytest.approx(0.14), currency="EUR"
    )


def test_a_suite_that_never_ran_costs_nothing():
    made = blueprint(service(cpus=1.0, memory_bytes=GIB), job=service("tests", cpus=4.0))
    assert cost_of_run(made, HOUR, TARIFF, suites={}).cpu_hours == 1.0


def test_without_prices_there_are_only_amounts():
    cost = cost_of_stack(blueprint(service(cpus=1.0, memory_bytes=GIB)), 2 * HOUR, Tariff())
    assert (cost.cpu_hours, cost.gib_hours, cost.price) == (2.0, 2.0, None)
    assert cost_in_words(cost) == "2 cpu h, 2 GiB h reserved"


def test_a_price_of_nought_is_a_price():
    assert cost_of_stack(blueprint(), HOUR, Tariff(cpu_hour=0.0)).price == 0.0


def test_a_clock_that_went_back_costs_nothing():
    assert cost_of_stack(blueprint(service(cpus=1.0)), -HOUR, TARIFF) == Cost(price=0.0, currency="EUR")


def test_sleep_costs_nothing():
    changes = [(NOON + HOUR, True), (NOON + 3 * HOUR, False), (NOON + 4 * HOUR, True)]
    assert awake_for(NOON, NOON + 9 * HOUR, changes) == 2 * HOUR


@given(st.lists(st.tuples(st.integers(-5, 15), st.booleans())), st.integers(0, 10))
def test_nobody_is_awake_for_less_than_nothing_or_more_than_the_time_there_is(
    changes: list[tuple[int, bool]], hours: int
):
    told = [(NOON + hour * HOUR, asleep) for hour, asleep in changes]
    assert timedelta(0) <= awake_for(NOON, NOON + hours * HOUR, told) <= hours * HOUR
