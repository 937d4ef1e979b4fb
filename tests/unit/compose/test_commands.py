from typing import Any

import pytest
from tests.unit.compose.conftest import Repository


@pytest.mark.parametrize("attribute", ["command", "entrypoint"])
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("run --port 80", ("run", "--port", "80")),
        ("'sh -c ''a \"b\" && c'' x'", ("sh", "-c", 'a "b" && c', "x")),
        ("'echo a\\ b'", ("echo", "a b")),
        ("[run, a b]", ("run", "a b")),
        ("''", ()),
        ("[]", ()),
        ("'a\n\n  b'", ("a", "b")),
    ],
)
def test_text_is_split_into_words_and_a_list_stands(
    repository: Repository, attribute: str, written: str, words: Any
):
    assert getattr(repository.service(f"{attribute}: {written}"), attribute) == words


def test_without_one_it_is_the_images_own(repository: Repository):
    service = repository.service("command: ")
    assert service.command is None
    assert service.entrypoint is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a && b", "operator of the shell"),
        ("a | b", "operator of the shell"),
        ("a > b", "operator of the shell"),
        ("'a \"b'", "cannot be split"),
        ("[a, 1]", "expected text"),
        ("5", "expected text or a list"),
        ("{a: b}", "expected text or a list"),
    ],
)
def test_what_is_no_command_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(f"command: {written}")
    assert said in problem


@pytest.mark.parametrize(
    ("attribute", "field", "value"),
    [
        ("working_dir: /app", "working_dir", "/app"),
        ("user: '1000:1000'", "user", "1000:1000"),
        ("user: ''", "user", None),
        ("hostname: web1", "hostname", "web1"),
        ("domainname: example.org", "domainname", "example.org"),
        ("container_name: shop_web", "container_name", "shop_web"),
        ("platform: linux/amd64", "platform", "linux/amd64"),
        ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
        ("init: true", "init", True),
        ("tty: 'true'", "tty", True),
        ("stdin_open: yes", "stdin_open", True),
        ("read_only: true", "read_only", True),
        ("group_add: [1, mail]", "group_add", ("1", "mail")),
        ("dns: 1.1.1.1", "dns", ("1.1.1.1",)),
        ("dns_search: [a, b]", "dns_search", ("a", "b")),
        ("cap_add: [NET_ADMIN, CAP_CHOWN]", "cap_add", ("NET_ADMIN", "CHOWN")),
        ("cap_drop: [ALL]", "cap_drop", ("ALL",)),
        ("security_opt: ['no-new-privileges:true']", "security_opt", ("no-new-privileges:true",)),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls", {"net.core.somaxconn": "1024"}),
        ("sysctls: {net.core.somaxconn: 1024}", "sysctls", {"net.core.somaxconn": "1024"}),
        ("labels: [a, b=c]", "labels", {"a": "", "b": "c"}),
        ("labels: {a: 1}", "labels", {"a": "1"}),
        (
            "extra_hosts: ['a=1.2.3.4', 'b:::1', 'c:[::1]']",
            "extra_hosts",
            {"a": "1.2.3.4", "b": "::1", "c": "::1"},
        ),
        ("extra_hosts: {a: 1.2.3.4}", "extra_hosts", {"a": "1.2.3.4"}),
        ("pull_policy: if_not_present", "pull_policy", "missing"),
        ("pull_policy: always", "pull_policy", "always"),
        (
            "ulimits: {nofile: 1024, nproc: {soft: 1, hard: 2}}",
            "ulimits",
            {"nofile": (1024, 1024), "nproc": (1, 2)},
        ),
    ],
)
def test_a_single_attribute_is_its_field(repository: Repository, attribute: str, field: str, value: Any):
    assert getattr(repository.service(attribute), field) == value


@pytest.mark.parametrize(
    "attribute",
    [
        "user: 1000", "tty: maybe", "init: 3", "ulimits: {nofile: {soft: 1}}", "extra_hosts: [a]", "extra_hosts: {a: host}",
        "pull_policy: sometimes", "container_name: a b", "dns: {a: b}", "labels: 3", "labels: [[a]]", "cap_add: NET_ADMIN",
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_said_once_with_its_line(repository: Repository, attribute: str):
    (problem,) = repository.problems(attribute)
    assert problem.startswith("compose.yaml:4:")
