import pytest
from tests.unit.compose.conftest import Repository

from conductor.compose.load import load_stack
from conductor.compose.reader import Checkout
from conductor.domain.account import Treatment
from conductor.errors import ConfigurationError

FILE = """\
name: shop
x-common: {a: 1}
services:
  web:
    image: app
    ports: ["80:80", {target: 1, published: 2}]
    environment: {A: b}
    privileged: true
    volumes: ["/etc:/etc"]
    storage_opt: {size: 1g}
    comand: x
"""


def test_every_key_is_in_the_account_with_its_line(repository: Repository):
    told = [(entry.path, entry.line) for entry in repository.loaded(FILE).account]
    assert told == [
        ("name", 1),
        ("x-common", 2),
        ("x-common.a", 2),
        ("services", 3),
        ("services.web", 4),
        ("services.web.image", 5),
        ("services.web.ports", 6),
        ("services.web.ports[1].target", 6),
        ("services.web.ports[1].published", 6),
        ("services.web.environment", 7),
        ("services.web.environment.A", 7),
        ("services.web.privileged", 8),
        ("services.web.volumes", 9),
        ("services.web.volumes[0]", 9),
        ("services.web.storage_opt", 10),
        ("services.web.storage_opt.size", 10),
        ("services.web.comand", 11),
    ]


def test_what_is_refused_says_why_and_the_rest_is_converted(repository: Repository):
    account = repository.loaded(FILE).account
    refused = {entry.path for entry in account if entry.treatment is Treatment.REFUSED}
    assert refused == {
        "services.web.privileged",
        "services.web.volumes[0]",
        "services.web.storage_opt",
        "services.web.storage_opt.size",
        "services.web.comand",
    }
    assert all(entry.why and entry.instead for entry in account if entry.path in refused)


def test_load_stack_raises_every_problem_at_once(repository: Repository):
    repository.file("compose.yaml", FILE)
    with pytest.raises(ConfigurationError) as raised:
        load_stack(Checkout(repository.root), ["compose.yaml"], name="shop")
    assert [problem.line for problem in raised.value.problems] == [8, 9, 10, 11]
    assert "    ^" in str(raised.value)


def test_load_stack_returns_the_stack_under_the_name_given(repository: Repository):
    repository.file("compose.yaml", "name: other\nservices: {web: {image: app}}")
    loaded = load_stack(Checkout(repository.root), ["compose.yaml"], name="run-1")
    assert loaded.stack.name == "run-1"
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[]", "a compose file is a mapping"),
        ("services: []", "expected a mapping"),
        ("services: {web: }", "expected a mapping"),
        ("services: {web: text}", "expected a mapping"),
        ("services: {'a b': {image: x}}", "no name of a service"),
        ("services: {web: {image: [x]}}", "expected text"),
        ("services: {web: {image: x}\nb", ""),
        ("volumes: [a]", "expected a mapping"),
        ("services: {web: {image: a, image: b}}", ""),
    ],
)
def test_a_file_of_the_wrong_shape_is_said(repository: Repository, text: str, said: str):
    problems = repository.loaded(text).problems
    assert problems
    assert said in problems[0].message


def test_a_missing_file_is_said(repository: Repository):
    (problem,) = repository.load("no.yaml").problems
    assert problem.file == "no.yaml"
    assert "no such file" in problem.message


def test_no_file_at_all_is_said(repository: Repository):
    (problem,) = problems_of_nothing(repository)
    assert "no compose file" in problem.message


def problems_of_nothing(repository: Repository):
    from conductor.compose.load import examine

    return examine(Checkout(repository.root), [], name="x").problems
