"""What a service shares with another one, and fine limits, as Docker is told."""

from typing import Any

import pytest

from conductor.adapters.docker.containers.binds import tmpfs
from conductor.adapters.docker.containers.convert import container
from conductor.adapters.docker.containers.facts import EngineFacts, ImageFacts
from conductor.adapters.docker.containers.unsupported import unsupported
from conductor.adapters.docker.containers.wording import for_people
from conductor.domain.stack import Hook, Resources, SecretText, Service, SharedMounts, Stack, TmpfsMount
from conductor.ports.engine import Place

PLACE = Place(namespace="conductor-a", run="a")
DB = Service(name="db", image="db", replicas=2)


def told(**attributes: Any) -> Any:
    web = Service(name="web", image="web", **attributes)
    return container(
        PLACE, Stack(name="s", services=(web, DB)), web,
        instance="i", kind="service", facts=EngineFacts(), image=ImageFacts(), wording=for_people(PLACE),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "key", "value"),
    [
        ({"network_of": "db", "networks": {}}, "NetworkMode", "container:conductor-a-db-1"),
        ({"networks": {}}, "NetworkMode", "none"),
        ({"ipc_of": "db"}, "IpcMode", "container:conductor-a-db-1"),
        ({"ipc_shareable": True}, "IpcMode", "shareable"),
        ({"pid_of": "db"}, "PidMode", "container:conductor-a-db-1"),
        (
            {"volumes_from": (SharedMounts(service="db", read_only=True),)},
            "VolumesFrom",
            ["conductor-a-db-1:ro"],
        ),
        ({"resources": Resources(memory_swap_bytes=-1)}, "MemorySwap", -1),
        ({"resources": Resources(memory_swappiness=0)}, "MemorySwappiness", 0),
        ({"resources": Resources(cpu_shares=73)}, "CpuShares", 73),
        ({"resources": Resources(cpuset="0,2")}, "CpusetCpus", "0,2"),
        ({"resources": Resources(block_io_weight=10)}, "BlkioWeight", 10),
        ({"oom_score_adj": 500}, "OomScoreAdj", 500),
        ({"dns_options": ("use-vc",)}, "DnsOptions", ["use-vc"]),
        ({"annotations": {"a": "b"}}, "Annotations", {"a": "b"}),
    ],
)
def test_it_is_in_the_hosts_part(attributes: Any, key: str, value: Any):
    assert told(**attributes)["HostConfig"][key] == value
    if key != "NetworkMode":
        assert key not in told()["HostConfig"]


def test_a_network_card_has_its_address_on_its_network():
    config = told(mac_address="02:42:ac:11:00:02")
    assert config["MacAddress"] == "02:42:ac:11:00:02"
    (endpoint,) = config["NetworkingConfig"]["EndpointsConfig"].values()
    assert endpoint["MacAddress"] == "02:42:ac:11:00:02"


def test_further_options_of_memory_are_told():
    assert tmpfs(TmpfsMount(target="/x", size_bytes=5, options=("uid=1", "exec"))) == "size=5,uid=1,exec"


def test_a_hook_with_a_secret_is_refused_since_whoever_stops_or_wakes_has_none_at_hand():
    hook = Hook(command=("x",), environment={"URL": SecretText(parts=("", "TOKEN", ""))})
    web = Service(name="web", image="web", post_start=(hook,), pre_stop=(hook,))
    refused = unsupported(Stack(name="s", services=(web,)), (), facts=EngineFacts())
    assert [entry.path for entry in refused] == ["services.web.post_start", "services.web.pre_stop"]
