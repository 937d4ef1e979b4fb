"""`extra_hosts`, `mac_address` and addresses of networks."""

import pytest
from tests.unit.compose.conftest import Repository

NETWORK = "networks: {n: {ipam: {config: [{subnet: 172.20.0.0/16, gateway: 172.20.0.1}]}}}"


@pytest.mark.parametrize(
    "written", ["['a=10.0.0.1', 'b:::1', 'c=[fe80::1]']", "{a: 10.0.0.1, b: '::1', c: 'fe80::1'}"]
)
def test_every_form_of_extra_hosts(repository: Repository, written: str):
    assert repository.service(f"extra_hosts: {written}").extra_hosts == {
        "a": "10.0.0.1",
        "b": "::1",
        "c": "fe80::1",
    }


@pytest.mark.parametrize(
    "attributes", ["mac_address: 02:42:ac:11:00:02", "networks: {n: {mac_address: 02:42:ac:11:00:02}}"]
)
def test_a_network_card_has_its_address(repository: Repository, attributes: str):
    assert repository.service(attributes, "networks: {n: }").mac_address == "02:42:ac:11:00:02"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ("mac_address: nope", "no address of a network card"),
        ("networks: {n: {mac_address: 02:42:ac:11:00:02}, default: }", "on more networks than n"),
        ("extra_hosts: ['a=']", "no address"),
        ("extra_hosts: ['a=host']", "`host` is no address"),
    ],
)
def test_what_is_no_address_is_said(repository: Repository, attributes: str, said: str):
    (problem,) = repository.problems(attributes, "networks: {n: }")
    assert said in problem


def test_a_subnet_that_nobody_writes_out_is_carried_with_a_note(repository: Repository):
    loaded = repository.loaded(f"services: {{web: {{image: a, networks: [n]}}}}\n{NETWORK}")
    assert loaded.problems == ()
    notes = {entry.path: entry.note for entry in loaded.account}
    assert (
        notes["networks.n.ipam.config"]
        == "the engine chooses the addresses of each run: names stand for them"
    )


@pytest.mark.parametrize(
    "attributes",
    [
        "environment: {DB: 'tcp://172.20.0.9:5432'}",
        "command: [ping, 172.20.3.4]",
        "extra_hosts: ['db=172.20.0.9']",
        "dns: 172.20.0.1",
    ],
)
def test_an_address_of_the_subnet_is_refused_where_it_is_written(repository: Repository, attributes: str):
    (problem,) = repository.problems(f"networks: [n]\n{attributes}", NETWORK)
    assert "it is an address of the network n" in problem


def test_other_addresses_are_taken(repository: Repository):
    service = repository.service("networks: [n]\nenvironment: {DNS: 172.21.0.9, V: 1.172.20.0.9}", NETWORK)
    assert service.environment["DNS"] == "172.21.0.9"
