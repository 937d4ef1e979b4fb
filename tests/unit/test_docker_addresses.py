from __future__ import annotations

from conductor.adapters.docker.containers.addresses import Addresses
from conductor.domain.stack import Network, Service, Stack
from conductor.ports.engine import Place

PLACE = Place(namespace="conductor-a", run="a")
SHOP = Stack(
    name="shop",
    services=(
        Service(name="db", networks={"inner": ("database",)}),
        Service(name="web", networks={"inner": (), "outer": ("www",)}, replicas=2),
        Service(name="proxy", networks={"outer": ()}),
    ),
    networks=(Network(name="inner"), Network(name="outer")),
)
ADDRESSES = Addresses(
    place=PLACE,
    stack=SHOP,
    subnets={"conductor-a-inner": "10.89.1.0/24", "conductor-a-outer": "10.89.2.0/24"},
)


def test_each_container_has_its_own_address_on_each_of_its_networks() -> None:
    web = SHOP.service("web")
    first = ADDRESSES.endpoints(web, 0)
    second = ADDRESSES.endpoints(web, 1)
    assert first["conductor-a-inner"]["IPAMConfig"] == {"IPv4Address": "10.89.1.11"}
    assert first["conductor-a-outer"]["IPAMConfig"] == {"IPv4Address": "10.89.2.11"}
    assert second["conductor-a-inner"]["IPAMConfig"] == {"IPv4Address": "10.89.1.12"}


def test_a_service_knows_the_names_of_those_with_whom_it_shares_a_network_and_of_nobody_else() -> None:
    assert ADDRESSES.hosts(SHOP.service("proxy")) == [
        "web:10.89.2.11", "www:10.89.2.11", "web:10.89.2.12", "www:10.89.2.12", "proxy:10.89.2.13",
    ]  # fmt: skip
    assert "database:10.89.1.10" in ADDRESSES.hosts(SHOP.service("web"))


def test_a_job_on_all_networks_knows_everybody_and_has_no_fixed_address_itself() -> None:
    job = Service(name="tests", networks={"inner": (), "outer": ()})
    names = {entry.partition(":")[0] for entry in ADDRESSES.hosts(job)}
    assert names == {"db", "database", "web", "www", "proxy"}
    assert all("IPAMConfig" not in endpoint for endpoint in ADDRESSES.endpoints(job, 0).values())


def test_a_network_without_a_range_or_with_too_small_a_one_gives_no_fixed_addresses() -> None:
    small = Addresses(place=PLACE, stack=SHOP, subnets={"conductor-a-inner": "10.89.1.0/28"})
    assert small.of("db", 0, "conductor-a-inner") == "10.89.1.10"
    many = Stack(name="many", services=(Service(name="web", replicas=20),))
    crowd = Addresses(place=PLACE, stack=many, subnets={"conductor-a": "10.89.1.0/28"})
    assert crowd.of("web", 19, "conductor-a") is None
    assert small.of("proxy", 0, "conductor-a-outer") is None
