"""Who finds and who reaches whom."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubernetes.made import PLACE, named, of_kind, pods, refused, rendered, stack_of

from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Egress, Site
from conductor.domain.stack import Network, Service, Stack


def test_every_name_of_a_service_finds_its_pod_on_every_port_before_it_is_ready():
    made = rendered(
        Service(name="Api", image="x", networks={"default": ("api-alias",)}, container_name="shop-api")
    )
    services = {name: each["spec"] for name, each in named(made, "Service").items()}
    assert set(services) == {"api", "api-alias", "shop-api"}
    labels = made[-1]["spec"]["template"]["metadata"]["labels"]
    for spec in services.values():
        assert spec["clusterIP"] == "None"
        assert spec["publishNotReadyAddresses"] is True
        assert "ports" not in spec
        assert spec["selector"].items() <= labels.items()


def test_an_alias_that_two_services_share_finds_both():
    made = rendered(*(Service(name=n, image="x", networks={"default": ("db",)}) for n in ("one", "two")))
    selector = named(made, "Service")["db"]["spec"]["selector"]
    assert all(selector.items() <= each["metadata"]["labels"].items() for each in pods(made).values())


def test_a_name_that_means_another_service_on_another_network_is_refused():
    one = Service(name="one", image="x", networks={"front": ("db",)})
    two = Service(name="two", image="x", networks={"back": ("db",)})
    assert refused(one, two) == ["services.two.networks"]
    both = {"front": ("db",), "back": ("db",)}
    assert refused(*(Service(name=n, image="x", networks=both) for n in ("one", "two"))) == []


def test_a_name_that_no_service_may_bear_has_one_under_another_name():
    made = named(rendered(Service(name="my_db", image="x", networks={"default": ("db.local",)})), "Service")
    assert set(made) == {"my-db-e0a37f2f", "db-local-5cb44ee8"}


def reach(made: list[Any], sender: str, receiver: str) -> bool:
    """Tell whether policies let one pod reach another, as Kubernetes does: both sides must allow it."""
    labels = {name: each["metadata"]["labels"] for name, each in pods(made).items()}
    policies = [each["spec"] for each in of_kind(made, "NetworkPolicy")]

    def selected(selector: Any, pod: str) -> bool:
        return selector.get("matchLabels", {}).items() <= labels[pod].items()

    def allows(side: str, peers: str, at: str, other: str) -> bool:
        rules = [r for p in policies if selected(p["podSelector"], at) for r in p[side]]
        return any(
            "podSelector" in peer and selected(peer["podSelector"], other)
            for rule in rules
            for peer in rule[peers]
        )

    return allows("egress", "to", sender, receiver) and allows("ingress", "from", receiver, sender)


def test_services_talk_where_they_share_a_network_and_nowhere_else():
    made = rendered(
        Service(name="web", image="x", networks={"front": ()}),
        Service(name="api", image="x", networks={"front": (), "back": ()}),
        Service(name="db", image="x", networks={"back": ()}),
        Service(name="hermit", image="x", networks={}),
    )
    names = ("web", "api", "db", "hermit")
    pairs = {(one, two) for one in names for two in names if one != two and reach(made, one, two)}
    assert pairs == {("web", "api"), ("api", "web"), ("api", "db"), ("db", "api")}


def outward(network: Network, egress: Egress) -> Any:
    stack = Stack(
        name="s",
        services=(Service(name="a", image="x", networks={network.name: ()}),),
        networks=(network,),
    )
    made = [dict(each) for each in render(PLACE, stack, site=Site(egress=egress))]
    rules = named(made, "NetworkPolicy")[f"network-{network.name}"]["spec"]["egress"]
    return rules[2:]


@pytest.mark.parametrize(
    ("egress", "expected"),
    [
        ("deny", []),
        ("cluster", [{"to": [{"namespaceSelector": {}}]}]),
        (("10.0.0.0/8",), [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
        ((), []),
    ],
)
def test_what_lies_outside_is_reached_as_the_site_says(egress: Egress, expected: Any):
    assert outward(Network(name="n"), egress) == expected
    assert outward(Network(name="n", internal=True), egress) == []


def test_even_an_open_site_keeps_pods_from_the_credentials_of_the_clouds_machines():
    (rule,) = outward(Network(name="n"), "allow")
    assert rule["to"][0]["ipBlock"] == {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}
    assert outward(Network(name="n", internal=True), "allow") == []


def test_only_the_callers_that_the_site_names_come_in():
    made = rendered(Service(name="a", image="x"), site=Site(callers=("monitoring",)))
    policy = named(made, "NetworkPolicy")["namespace"]["spec"]
    assert policy["podSelector"] == {}
    assert "monitoring" in str(policy["ingress"])
    closed = named(rendered(Service(name="a", image="x")), "NetworkPolicy")["namespace"]["spec"]
    assert (closed["ingress"], closed["egress"]) == ([], [])


def test_addresses_of_both_kinds_are_given_where_the_cluster_has_them_and_refused_elsewhere():
    stack = Stack(
        name="s",
        services=stack_of(Service(name="a", image="x")).services,
        networks=(Network(name="default", ipv6=True),),
    )
    site = Site(dual_stack=True)
    made = named([dict(each) for each in render(PLACE, stack, site=site)], "Service")
    assert made["a"]["spec"]["ipFamilyPolicy"] == "PreferDualStack"
