"""Names that Compose takes, as names that Kubernetes takes; and names that only a hosts file can serve."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kubernetes.made import helpers, pod, pods, refused, rendered

from conductor.adapters.kubernetes.manifests.kube_names import kube_name, label_value
from conductor.domain.stack import Service

A = Service(name="a", image="x")
BUSYBOX = shutil.which("busybox")


@given(
    st.lists(
        st.text(max_size=80) | st.sampled_from(["a", "A", "a-", "a_", "my_db", "my-db", "MY-DB"]), unique=True
    )
)
def test_two_names_never_become_the_same(names: list[str]):
    made = [kube_name(name) for name in [*names, *map(kube_name, names)]]
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,48}[a-z0-9]|[a-z]", name) for name in made)
    originals = set(names) | {kube_name(name) for name in names}
    assert len({kube_name(name) for name in originals}) == len(originals)


@given(st.text(max_size=90))
def test_any_text_becomes_a_labels_value(text: str):
    assert re.fullmatch(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", label_value(text))


def names_of(service: str, *stack: Service) -> dict[str, str]:
    """Return the names that a service's sidecar writes, and the Services that stand for them."""
    made = pods(rendered(*stack))[kube_name(service)]["spec"].get("initContainers", [])
    (sidecar,) = [each for each in made if each["name"] == "conductor-names"] or [{"env": [{"value": ""}]}]
    return dict(pair.split("=") for pair in sidecar["env"][0]["value"].split())


def test_neighbours_find_a_service_by_a_name_that_the_clusters_dns_cannot_say():
    stack = (
        Service(name="my_db", image="x", networks={"back": ("db.local",)}),
        Service(name="api", image="x", networks={"back": (), "front": ()}),
        Service(name="web", image="x", networks={"front": ()}),
    )
    both = {"my_db": "my-db-e0a37f2f", "db.local": "db-local-5cb44ee8"}
    assert names_of("api", *stack) == both
    assert names_of("my_db", *stack) == both
    assert names_of("web", *stack) == {}


def test_the_sidecar_is_native_and_holds_the_service_back_until_its_first_look():
    made = helpers(Service(name="my_db", image="x"))["conductor-names"]
    assert made["restartPolicy"] == "Always"
    assert "postStart" in made["lifecycle"]


def test_hosts_that_kubernetes_does_not_write_are_written_by_the_sidecar():
    service = Service(name="a", image="x", extra_hosts={"my_host": "10.0.0.1", "plain.host": "10.0.0.2"})
    made = pod(service)
    assert made["hostAliases"] == [{"ip": "10.0.0.2", "hostnames": ["plain.host"]}]
    assert made["initContainers"][0]["env"][1] == {"name": "FIXED", "value": "my_host=10.0.0.1"}


@pytest.mark.skipif(BUSYBOX is None, reason="there is no busybox on this machine")
def test_the_scripts_of_the_helpers_are_ones_that_a_busybox_can_read():
    service = Service(
        name="my_db", image="x", stop_signal="SIGINT", init=True, extra_hosts={"a_b": "10.0.0.1"}
    )
    made = pod(service)
    scripts = [each["command"][3] for each in made["initContainers"]]
    scripts += [
        each["lifecycle"]["postStart"]["exec"]["command"][3]
        for each in made["initContainers"]
        if "lifecycle" in each
    ]
    scripts += [made["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][3]]
    for text in scripts:
        told = subprocess.run(
            [str(BUSYBOX), "sh", "-n", "-c", text], capture_output=True, text=True, check=False, timeout=10
        )
        assert (told.returncode, told.stderr) == (0, ""), text


@pytest.mark.parametrize(
    ("service", "path"),
    [
        (Service(name="a", image="x", networks={"n": ("it is",)}), "services.a"),
        (Service(name="conductor-prepare", image="x"), "services.conductor-prepare"),
        (Service(name="a", image="x", hostname="Box"), "services.a.hostname"),
        (Service(name="a", image="x", hostname="mail.example.com"), "services.a.hostname"),
        (Service(name="a", image="x", hostname="box", replicas=2), "services.a.hostname"),
        (Service(name="a", image="x", extra_hosts={"h": "host-gateway"}), "services.a.extra_hosts.h"),
        (Service(name="a", image="x", domainname="x"), "services.a.domainname"),
        (Service(name="a", image="x", dns=("1.1.1.1",)), "services.a.dns"),
        (Service(name="a", image="x", dns_search=("A_B",)), "services.a.dns_search"),
    ],
)
def test_a_name_that_pods_cannot_have_is_refused(service: Service, path: str):
    assert refused(service) == [path]
