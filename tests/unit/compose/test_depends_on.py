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


OPTIONAL = "depends_on: {db: {condition: service_started, required: false}}"


def test_a_dependency_that_is_not_required_may_take_no_part(repository: Repository):
    loaded = repository.loaded(
        f"services: {{web: {{image: a, {OPTIONAL}}}, db: {{image: d, profiles: [debug]}}}}"
    )
    assert not loaded.problems
    assert loaded.stack.service("web").depends_on == ()


def test_a_dependency_that_is_not_required_must_be_declared_all_the_same(repository: Repository):
    (problem,) = repository.problems(OPTIONAL)
    assert "there is no service `db`" in problem


def test_a_dependency_needs_its_condition(repository: Repository):
    loaded = repository.loaded("services: {web: {image: a, depends_on: {db: {}}}, db: {image: d}}")
    assert [problem.message for problem in loaded.problems] == ["a dependency needs its `condition`"]


def test_a_later_file_says_anew_whether_it_is_required(repository: Repository):
    repository.file("one.yaml", f"services: {{web: {{image: a, {OPTIONAL}}}, db: {{image: d}}}}")
    repository.file("two.yaml", "services: {web: {depends_on: [db]}}")
    (dependency,) = repository.load("one.yaml", "two.yaml").stack.service("web").depends_on
    assert dependency.required


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
