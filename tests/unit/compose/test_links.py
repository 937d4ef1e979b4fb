import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Dependency


def test_a_link_is_a_dependency_and_another_name(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: a, links: ['db:database', cache]}, db: {image: d}, cache: {image: c}}"
    )
    assert not loaded.problems
    assert loaded.stack.service("web").depends_on == (
        Dependency(service="db", restart=True),
        Dependency(service="cache", restart=True),
    )
    assert loaded.stack.service("db").dns_names == ("db", "database")
    assert loaded.stack.service("cache").dns_names == ("cache",)


@pytest.mark.parametrize(
    "others",
    [
        "other: {image: o, links: ['cache:store']}, cache: {image: c}",
        "store: {image: s}",
        "x: {image: s, networks: {default: {aliases: [store]}}}",
    ],
)
def test_a_name_that_could_be_anothers_is_refused(repository: Repository, others: str):
    loaded = repository.loaded(
        f"services: {{web: {{image: a, links: ['db:store']}}, db: {{image: d}}, {others}}}"
    )
    (problem,) = loaded.problems
    assert "is known by that name too" in problem.message
    assert problem.remedy


def test_two_may_call_one_service_by_the_same_name(repository: Repository):
    loaded = repository.loaded(
        "services: {a: {image: a, links: ['db:x']}, b: {image: b, links: ['db:x']}, db: {image: d}}"
    )
    assert not loaded.problems
    assert loaded.stack.service("db").dns_names == ("db", "x")
