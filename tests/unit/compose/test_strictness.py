"""What Compose does not take is not taken here: values of the wrong kind, keys without one, things twice."""

import pytest
from tests.unit.compose.conftest import Repository


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ("environment: {A: 2026-01-31}", "`2026-01-31` is a date"),
        ("labels: {a: 2001-12-14t21:59:43.10-05:00}", "is a date"),
        ("environment: {1: a}", "the key `1` is not text"),
        ("labels: {true: a}", "the key `true` is not text"),
        ("ports: ", "`ports` has no value"),
        ("hostname: ", "`hostname` has no value"),
        ("networks: [default, default]", "`default` is here twice"),
        ("group_add: ['1', '1']", "`1` is here twice"),
        ("tty: '1'", "expected true or false"),
        ("restart: false", "expected text"),
        ("logging: json-file", "expected a mapping"),
        ("logging: {options: [a]}", "expected a mapping"),
        ("deploy: {labels: x}", "expected a mapping"),
        ("deploy: {restart_policy: {delay: 5}}", "expected text"),
        ("deploy: {restart_policy: {window: soon}}", "no duration"),
        (
            "deploy: {restart_policy: {condition: any, max_attempts: 3}}",
            "goes with `condition: on-failure` alone",
        ),
        ("networks: {default: {priority: high}}", "expected a number"),
        ("ports: [{target: 80, host_ip: 5}]", "expected text"),
        ("attach: 5", "expected true or false"),
        ("dns: true", "expected text"),
        ("build: {context: ., target: 5, dockerfile_inline: FROM x}", "expected text"),
        ("volumes: [{type: tmpfs, target: /x, tmpfs: {mode: '0700'}}]", "the mode of a mount is a number"),
    ],
)
def test_it_is_said_once_and_where(repository: Repository, attributes: str, said: str):
    (problem,) = repository.problems(attributes)
    assert said in problem


@pytest.mark.parametrize(
    "attributes",
    [
        "environment: {A: '2026-01-31', B: 2026-13-44, '1': x, C: }",
        "x-anything: {1: 2026-01-31}",
        "command: \nentrypoint: \ndeploy: ",
        "cap_add: [CHOWN, CHOWN]\ndns: [1.1.1.1, 1.1.1.1]",
        "labels: {a: }\nnetworks: {default: }",
    ],
)
def test_what_is_in_quotes_or_means_nothing_is_taken(repository: Repository, attributes: str):
    assert repository.problems(attributes) == []


@pytest.mark.parametrize(
    "text",
    ["services:\n", "services: {web: {image: a}}\nvolumes:\n", "version: 3\nservices: {web: {image: a}}\n"],
)
def test_a_section_without_a_value_is_said(repository: Repository, text: str):
    assert len(repository.loaded(text).problems) == 1


def test_what_a_later_file_gives_a_value_is_whole(repository: Repository):
    repository.file("one.yaml", "services: {web: {image: a, ports: }}")
    repository.file("two.yaml", "services: {web: {ports: [80]}}")
    assert repository.load("one.yaml", "two.yaml").problems == ()
