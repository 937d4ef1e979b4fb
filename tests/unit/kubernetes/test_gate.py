"""What an address of a service is made of: its host, its token, the gate's objects, and who reaches whom."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.kubernetes.made import NEWEST, PLACE, named, of_kind, rendered, stack_of
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import errors

from conductor.adapters.gate.server import PREFIX, GateSettings
from conductor.adapters.kubernetes import addresses as verb
from conductor.adapters.kubernetes.manifests.gate import NAME, gate, host_name, routes, token, way
from conductor.adapters.kubernetes.manifests.site import Addresses, Site
from conductor.domain.stack import Port, Service
from conductor.errors import NotFoundError

KEY = "0123456789abcdef0123456789abcdef"
ADDRESSES = Addresses(domain="stacks.example.org", key=KEY)
SITE = Site(addresses=ADDRESSES, callers=("monitoring",))
WEB = Service(
    name="web", image="x", ports=(Port(target=3000, published="80"), Port(target=9229)), expose=(3001,)
)
DB = Service(name="my_db", image="x", expose=(5432,))


def made(*services: Service, site: Site = SITE, addresses: Addresses = ADDRESSES) -> list[Any]:
    found = routes(PLACE, stack_of(*services), addresses.domain)
    return [*gate(PLACE, found, site, addresses), *(way(PLACE, route, addresses) for route in found)]


def only(things: list[Any], kind: str) -> Any:
    (found,) = of_kind(things, kind)
    return found


def test_every_declared_port_has_a_host_of_its_own_and_the_first_one_the_services():
    found = {route.host.partition(".")[0]: route for route in routes(PLACE, stack_of(WEB, DB), "x.org")}
    assert set(found) == {
        "web-shop-k3v9qd",
        "web-9229-shop-k3v9qd",
        "web-3001-shop-k3v9qd",
        "my-db-e0a37f2f-shop-k3v9qd",
    }
    assert found["web-shop-k3v9qd"].port == 3000
    assert found["my-db-e0a37f2f-shop-k3v9qd"].target == "my-db-e0a37f2f"


def test_what_has_no_tcp_port_or_no_network_has_no_address():
    udp = Service(name="dns", image="x", ports=(Port(target=53, protocol="udp"),))
    alone = replace(WEB, networks={})
    assert routes(PLACE, stack_of(udp, alone, Service(name="quiet", image="x")), "x.org") == ()


def test_a_service_on_anothers_network_is_found_there():
    beside = Service(name="beside", image="x", expose=(9000,), networks={}, network_of="web")
    found = routes(PLACE, stack_of(WEB, beside), "x.org")
    assert found[-1].service == "beside"
    assert found[-1].target == "web"


def test_two_attempts_of_a_run_have_hosts_of_their_own():
    again = replace(PLACE, namespace=f"{PLACE.namespace}-2")
    assert host_name(PLACE, "web", "x.org") != host_name(again, "web", "x.org")


@pytest.mark.parametrize("name", ["w" * 63, "a_b", "Api", "x.y", "-"])
def test_a_host_is_one_that_dns_takes(name: str):
    label = host_name(PLACE, name, "x.org", port=65535).partition(".")[0]
    assert len(label) <= 63
    assert label == label.lower()
    assert not set(label) - set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_host_that_two_ports_would_have_is_the_first_ones():
    clash = Service(name="web-9229", image="x", expose=(1,))
    found = [route for route in routes(PLACE, stack_of(WEB, clash), "x.org") if "9229" in route.host]
    assert [(route.service, route.port) for route in found] == [("web", 9229)]


def test_a_token_is_the_same_each_time_and_another_for_each_stack_and_key():
    mine = token(ADDRESSES, "one")
    assert mine == token(ADDRESSES, "one")
    assert len({mine, token(ADDRESSES, "two"), token(replace(ADDRESSES, key=KEY[::-1]), "one")}) == 3
    assert len(mine) == 52  # 256 bits, five to a character
    assert mine.isalnum()
    assert mine.islower()


def test_of_token_and_key_the_cluster_has_a_hash_and_nothing_else():
    text = json.dumps(made(WEB, DB))
    secret = token(ADDRESSES, PLACE.namespace)
    assert secret not in text
    assert KEY not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text
    assert KEY not in repr(SITE)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_all_that_is_made_is_valid(scheme: Any):
    for manifest in made(WEB, DB, addresses=replace(ADDRESSES, scheme=scheme, ingress_class="nginx")):
        assert errors(manifest, NEWEST) == [], manifest["kind"]


def test_the_gates_pod_keeps_to_restricted_and_has_no_account():
    pod = only(made(WEB), "Deployment")["spec"]["template"]
    assert breaks("restricted", pod) == []
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["enableServiceLinks"] is False  # a Service's variables begin as the gate's own do
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"requests", "limits"} <= container["resources"].keys()


def test_the_gate_reads_what_its_manifest_says(monkeypatch: pytest.MonkeyPatch):
    (container,) = only(made(WEB), "Deployment")["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        assert variable["name"].startswith(PREFIX)
        monkeypatch.setenv(variable["name"], variable["value"])
    read = GateSettings()
    assert read.routes["web-shop-k3v9qd.stacks.example.org"] == "web:3000"
    assert read.digest == hashlib.sha256(token(ADDRESSES, PLACE.namespace).encode()).hexdigest()
    assert (read.secure, read.listen) == (True, container["ports"][0]["containerPort"])


def test_the_watches_of_a_stack_do_not_take_the_gate_for_a_service():
    service = only(rendered(WEB), "Job")["spec"]["template"]["metadata"]["labels"]
    gates = only(made(WEB), "Deployment")
    for labels in (gates["metadata"]["labels"], gates["spec"]["template"]["metadata"]["labels"]):
        assert "conductor.dev/instance" in service
        assert "conductor.dev/instance" not in labels


def test_an_ingress_leads_one_host_to_the_gate_and_to_nothing_else():
    web = made(WEB)[-3]
    assert web["kind"] == "Ingress"
    (rule,) = web["spec"]["rules"]
    assert rule["host"] == "web-shop-k3v9qd.stacks.example.org"
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": NAME, "port": {"name": "http"}}
    assert web["spec"]["tls"] == [{"hosts": [rule["host"]]}]
    assert "ingressClassName" not in web["spec"]
    names = [thing["metadata"]["name"] for thing in of_kind(made(WEB), "Ingress")]
    assert len(set(names)) == 3


def test_with_a_gateway_it_is_an_http_route():
    things = made(DB, addresses=replace(ADDRESSES, gateway="infra/public"))
    assert not of_kind(things, "Ingress")
    route = only(things, "HTTPRoute")
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"] == {
        "parentRefs": [{"namespace": "infra", "name": "public"}],
        "hostnames": ["my-db-e0a37f2f-shop-k3v9qd.stacks.example.org"],
        "rules": [{"backendRefs": [{"name": NAME, "port": 8080}]}],
    }


def _callers(policy: Any) -> list[str]:
    return [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["spec"]["ingress"]
        for peer in rule["from"]
    ]


def test_the_ingress_reaches_the_gate_alone_and_the_gate_the_declared_ports_alone():
    own = replace(ADDRESSES, namespaces=("ingress-nginx",))
    policies = named(made(WEB, addresses=own), "NetworkPolicy")
    assert _callers(policies[NAME]) == ["ingress-nginx"]
    assert _callers(named(rendered(WEB, site=SITE), "NetworkPolicy")["namespace"]) == ["monitoring"]
    onward, names = policies[NAME]["spec"]["egress"]
    assert [port["port"] for port in onward["ports"]] == [3000, 3001, 9229]
    assert [peer.keys() for peer in onward["to"]] == [{"podSelector"}]  # of this namespace
    assert {port["port"] for port in names["ports"]} == {53}
    inward = policies[f"{NAME}-services"]["spec"]
    (rule,) = inward["ingress"]
    gates = only(made(WEB), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= gates.items()
    pods = only(rendered(WEB), "Job")["spec"]["template"]["metadata"]["labels"]
    assert inward["podSelector"]["matchLabels"].items() <= pods.items()
    assert not inward["podSelector"]["matchLabels"].items() <= gates.items()


def test_without_a_namespace_of_the_ingress_it_is_one_of_the_callers_and_without_both_nobody():
    assert _callers(named(made(WEB), "NetworkPolicy")[NAME]) == ["monitoring"]
    assert _callers(named(made(WEB, site=Site()), "NetworkPolicy")[NAME]) == []


def test_a_port_that_the_stack_does_not_declare_has_no_address():
    found = routes(PLACE, stack_of(WEB, DB), "x.org")
    assert verb.choose(found, "web", None).port == 3000
    assert verb.choose(found, "web", 9229).host.startswith("web-9229-")
    with pytest.raises(NotFoundError, match=r"web:22 .*it has: web:3000, web:9229"):
        verb.choose(found, "web", 22)
    with pytest.raises(NotFoundError):
        verb.choose(found, "nobody", None)


def test_doctor_says_what_addresses_lack():
    assert verb.diagnosis(Site()) is None
    keyless = verb.diagnosis(replace(SITE, addresses=Addresses(domain="x.org")))
    closed = verb.diagnosis(replace(SITE, callers=()))
    well = verb.diagnosis(SITE)
    assert keyless
    assert closed
    assert well
    assert (keyless.ok, closed.ok, well.ok) == (False, False, True)
    assert "CONDUCTOR_GATE_KEY" in keyless.remedy
    assert "CONDUCTOR_INGRESS_NAMESPACES" in closed.remedy
