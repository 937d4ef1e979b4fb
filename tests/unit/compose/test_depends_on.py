from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Condition, Dependency

DB = "  db: {image: db}\n"


@pytest.mark.parametrize(
    ("written", "dependency"),
    [
        ("[db]", Dependency(service="db")),
        ("{db: {condition: service_healthy}}", Dependency(service="db", condition=Condition.HEALTHY)),
        ("{db: {condition: service_completed_successfully}}", Dependency(service="db", condition=Condition.COMPLETED)),
        ("{db: {condition: service_started, restart: true, required: false}}", Dependency(service="db", restart=True, required=False)),
    ],
)  # fmt: skip
def test_every_form_of_a_dependency(repository: Repository, written: str, dependency: Any):
    assert repository.service(f"depends_on: {written}", DB).depends_on == (dependency,)


def test_a_link_is_a_dependency_and_one_more_name(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: app, links: ['db:database', cache]}, db: {image: d}, cache: {image: c}}"
    )
    assert not loaded.problems
    assert [d.service for d in loaded.stack.service("web").depends_on] == ["db", "cache"]
    assert loaded.stack.service("db").dns_names == ("db", "database")


@pytest.mark.parametrize("profiles", ["", ", profiles: [debug]"])
def test_a_dependency_that_is_not_required_may_be_missing(repository: Repository, profiles: str):
    other = f"db: {{image: d{profiles}}}" if profiles else "x: {image: x}"
    loaded = repository.loaded(
        f"services: {{web: {{image: a, depends_on: {{db: {{condition: service_started, required: false}}}}}}, {other}}}"
    )
    assert not loaded.problems
    assert loaded.stack.service("web").depends_on == ()


def test_a_circle_is_named_in_order(repository: Repository):
    loaded = repository.loaded(
        """
        services:
          a: {image: x, depends_on: [b]}
          b: {image: x, depends_on: [c]}
          c: {image: x, depends_on: [a]}
        """
    )
    (problem,) = loaded.problems
    circle = problem.message.removeprefix("services wait for each other: ").split(" -> ")
    assert circle[0] == circle[-1]
    assert "".join(circle[:-1]) in "abcabc"
    assert problem.line in (3, 4, 5)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("depends_on: [web]", "web -> web"),
        ("depends_on: [dbb]", "Did you mean `db`?"),
        ("depends_on: {db: {condition: healthy}}", "no condition"),
        ("depends_on: {db: [a]}", "expected a mapping"),
        ("depends_on: db", "expected a mapping, found text"),
        ("links: [zzz]", "there is no service `zzz`"),
    ],
)
def test_a_dependency_that_makes_no_sense_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(written, DB)
    assert said in problem
