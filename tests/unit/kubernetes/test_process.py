"""A service's command, variables, ports, limits and rights."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kubernetes.made import container, pod, refused

from conductor.adapters.kubernetes.manifests.secrets import escaped
from conductor.domain.stack import FileMount, Port, Resources, SecretText, Service

A = Service(name="a", image="x")


def test_an_entrypoint_is_kubernetes_command_and_a_command_its_args():
    both = container(replace(A, entrypoint=("e",), command=("c", "d")))
    assert (both["command"], both["args"]) == (["e"], ["c", "d"])
    alone = container(replace(A, command=("c",)))
    assert ("command" in alone, alone["args"]) == (False, ["c"])


def test_an_entrypoint_of_nothing_lets_the_command_take_its_place():
    made = container(replace(A, entrypoint=(), command=("c",)))
    assert (made["command"], "args" in made) == (["c"], False)
    assert refused(replace(A, entrypoint=())) == ["services.a.entrypoint"]


def test_secrets_are_there_by_name_only_and_before_what_is_made_of_them():
    text = SecretText(parts=("postgres://app:", "DB_PASSWORD", "@db/$(x)"))
    environment = {"URL": text, "OWN": SecretText(parts=("", "OTHER", "")), "DB_PASSWORD": "mine"}
    env = container(replace(A, secret_keys=("S",), environment=environment))["env"]
    assert [(e["name"], e.get("value") or e["valueFrom"]["secretKeyRef"]["key"]) for e in env] == [
        ("S", "S"),
        ("CONDUCTOR_SECRET_DB_PASSWORD", "DB_PASSWORD"),
        ("URL", "postgres://app:$(CONDUCTOR_SECRET_DB_PASSWORD)@db/$$(x)"),
        ("OWN", "OTHER"),
        ("DB_PASSWORD", "mine"),
    ]
    assert {e["valueFrom"]["secretKeyRef"]["name"] for e in env if "valueFrom" in e} == {"a-secrets"}


def test_a_secret_that_the_plan_gives_wins_over_the_files_value_of_that_name():
    env = container(replace(A, secret_keys=("KEY",), environment={"KEY": "of the file"}))["env"]
    assert [(e["name"], "valueFrom" in e) for e in env] == [("KEY", True)]


def test_a_consumers_secret_has_the_keys_of_its_variables_and_files_and_no_others():
    service = replace(
        A,
        secret_keys=("S",),
        environment={"URL": SecretText(parts=("u", "P", "")), "T": "t"},
        mounts=(FileMount(target="/f", content=SecretText(parts=("", "F", "x"))),),
    )
    assert service.required_secrets == ("S", "P", "F")


def as_kubernetes_expands(text: str) -> str:
    """Replace as Kubernetes' expansion of variables does, with no variable known."""
    return re.sub(r"\$(\$|\([^)]*\)|)", lambda m: "$" if m[1] == "$" else m[0], text)


@given(st.text(alphabet="$()aB ", max_size=12))
def test_kubernetes_reads_back_what_compose_said(text: str):
    assert as_kubernetes_expands(escaped(text)) == text
    assert not re.search(r"(?<!\$)(?:\$\$)*\$\(", escaped(text))


def test_ports_are_declared_once_with_a_name_where_kubernetes_takes_it():
    ports = (
        Port(target=80, name="web"),
        Port(target=81, name="web"),
        Port(target=53, protocol="udp", name="Too Long For Kubernetes"),
    )
    assert container(replace(A, ports=ports, expose=(80, 90)))["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "web"},
        {"containerPort": 81, "protocol": "TCP"},
        {"containerPort": 53, "protocol": "UDP"},
        {"containerPort": 90, "protocol": "TCP"},
    ]


def test_a_limit_reserves_only_a_little_of_itself():
    made = container(replace(A, resources=Resources(cpus=2, memory_bytes=1024**3)))["resources"]
    assert made == {
        "limits": {"cpu": "2000m", "memory": "1073741824"},
        "requests": {"cpu": "50m", "memory": "67108864"},
    }
    asked = Resources(reserved_cpus=0.25, reserved_memory_bytes=1024**2)
    assert container(replace(A, resources=asked))["resources"] == {
        "limits": {"cpu": "2000m", "memory": "1073741824"},
        "requests": {"cpu": "250m", "memory": "1048576"},
    }


def test_a_weight_against_other_containers_is_a_request_in_proportion():
    def request(shares: int) -> str:
        made = container(replace(A, resources=Resources(cpu_shares=shares)))["resources"]
        return str(made["requests"]["cpu"])

    assert (request(512), request(1024), request(4096)) == ("25m", "50m", "200m")


def test_security_and_identity_are_those_of_the_file():
    service = replace(
        A, user="1000:root", cap_drop=("ALL",), cap_add=("CAP_CHOWN",), read_only=True, init=True,
        security_opt=("no-new-privileges:true",), group_add=("3", "root"), hostname="box", tty=True, stdin_open=True,
        extra_hosts={"one": "10.0.0.1", "two": "10.0.0.1"}, sysctls={"net.ipv4.tcp_syncookies": "0"},
    )  # fmt: skip
    made = pod(service)
    assert made["containers"][0]["securityContext"] == {
        "runAsUser": 1000,
        "runAsNonRoot": True,
        "runAsGroup": 0,
        "capabilities": {"add": ["CHOWN"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
    }
    assert (made["containers"][0]["tty"], made["containers"][0]["stdin"]) == (True, True)
    assert made["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["one", "two"]}]
    assert (made["hostname"], made["shareProcessNamespace"]) == ("box", True)
    assert made["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "supplementalGroups": [3, 0],
        "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}],
    }
    assert refused(service) == []


@pytest.mark.parametrize(
    ("add", "drop", "said", "refusals"),
    [
        (("NET_RAW",), (), None, []),
        (("NET_RAW",), ("ALL",), {"add": ["NET_RAW"], "drop": ["ALL"]}, ["services.a.cap_add"]),
        (("NET_ADMIN",), (), {"add": ["NET_ADMIN"]}, ["services.a.cap_add"]),
        (("CHOWN",), ("CHOWN",), {"add": ["CHOWN"], "drop": ["CHOWN"]}, []),
    ],
)
def test_what_a_container_has_anyway_is_not_added(
    add: tuple[str, ...], drop: tuple[str, ...], said: object, refusals: list[str]
):
    service = replace(A, cap_add=add, cap_drop=drop)
    assert container(service).get("securityContext", {}).get("capabilities") == said
    assert refused(service) == refusals


def test_name_resolution_is_tuned_as_the_file_says():
    made = pod(replace(A, dns_search=("example.com",), dns_options=("ndots:2", "rotate")))["dnsConfig"]
    assert made == {
        "searches": ["example.com"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}],
    }
