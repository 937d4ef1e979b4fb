from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Port


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("80", [Port(target=80)]),
        ("'80'", [Port(target=80)]),
        ("'8080:80'", [Port(target=80, published="8080")]),
        ("22:22", [Port(target=22, published="22")]),
        ("'127.0.0.1:8080:80'", [Port(target=80, published="8080")]),
        ("'127.0.0.1::80'", [Port(target=80)]),
        ("'[::1]:8080:80'", [Port(target=80, published="8080")]),
        ("'::1:8080:80'", [Port(target=80, published="8080")]),
        ("'53:53/udp'", [Port(target=53, published="53", protocol="udp")]),
        ("'91/UDP'", [Port(target=91, protocol="udp")]),
        ("'3000-3001'", [Port(target=3000), Port(target=3001)]),
        ("'9000-9001:80-81'", [Port(target=80, published="9000"), Port(target=81, published="9001")]),
        ("'8000-8002:80'", [Port(target=80, published="8000-8002")]),
        ("{target: 80, published: 8080, protocol: tcp, mode: host, name: web}", [Port(target=80, published="8080", name="web")]),
        ("{target: '80', published: '8080-8090'}", [Port(target=80, published="8080-8090")]),
    ],
)  # fmt: skip
def test_every_form_of_a_port(repository: Repository, written: str, ports: Any):
    assert list(repository.service(f"ports: [{written}]").ports) == ports


@pytest.mark.parametrize(
    "written",
    [
        "a:b",
        "'70000'",
        "0",
        "'80-79'",
        "'3000-3003:80-81'",
        "'80/icmp'",
        "{published: 80}",
        "'x:80:80'",
        "true",
        "'80:'",
    ],
)
def test_what_is_no_port_is_said(repository: Repository, written: str):
    (problem,) = repository.problems(f"ports: [{written}]")
    assert "compose.yaml:4" in problem


def test_exposed_ports_are_numbers_and_exposed_udp_is_a_port(repository: Repository):
    service = repository.service("expose: ['80', 81, 82-83, 53/udp]")
    assert service.expose == (80, 81, 82, 83)
    assert service.ports == (Port(target=53, protocol="udp"),)


def test_more_ports_than_anybody_needs_are_refused(repository: Repository):
    (problem,) = repository.problems("ports: ['1-65535']")
    assert "may have" in problem
