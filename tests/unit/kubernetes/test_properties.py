"""Any service at all becomes valid manifests, and what is not refused is within Pod Security `baseline`."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.kubernetes.made import pods, refused, rendered, texts
from tests.unit.kubernetes.pod_security import breaks

from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.domain.stack import (
    BindMount,
    FileMount,
    Healthcheck,
    Resources,
    Restart,
    Service,
    TmpfsMount,
    VolumeMount,
)

names = st.text(alphabet="abcXYZ019-_. é/", min_size=1, max_size=70)
targets = st.sampled_from(["/x", "/x/y", "/data", "/it's"])
mounts = st.one_of(
    st.builds(
        VolumeMount, volume=st.none() | names, target=targets, read_only=st.booleans(), nocopy=st.booleans()
    ),
    st.builds(
        BindMount, source=st.sampled_from(["a", "a/b", ".", "gone"]), target=targets, read_only=st.booleans()
    ),
    st.builds(TmpfsMount, target=targets, mode=st.none() | st.integers(0, 0o7777)),
    st.builds(FileMount, target=targets, content=names, uid=st.none() | st.integers(0, 9)),
)
services = st.builds(
    Service,
    name=names,
    image=st.just("x"),
    command=st.none() | st.lists(names).map(tuple),
    entrypoint=st.none() | st.lists(names).map(tuple),
    environment=st.dictionaries(names, names),
    secret_keys=st.lists(st.sampled_from(["A", "B"]), unique=True).map(tuple),
    networks=st.dictionaries(names, st.lists(names, max_size=2).map(tuple), max_size=2),
    restart=st.sampled_from(Restart),
    restart_attempts=st.none() | st.integers(0, 5),
    replicas=st.integers(0, 3),
    cap_add=st.lists(st.sampled_from(["CHOWN", "NET_RAW", "NET_ADMIN"])).map(tuple),
    cap_drop=st.lists(st.sampled_from(["ALL", "NET_RAW"])).map(tuple),
    stop_signal=st.none() | st.sampled_from(["SIGINT", "9"]),
    init=st.booleans(),
    hostname=st.none() | names,
    extra_hosts=st.dictionaries(names, st.just("10.0.0.1"), max_size=2),
    expose=st.lists(st.integers(1, 65535)).map(tuple),
    healthcheck=st.none() | st.builds(Healthcheck, test=st.sampled_from([("CMD", "a"), ("CMD-SHELL", "b")])),
    resources=st.builds(
        Resources, cpus=st.none() | st.floats(0.001, 64), memory_bytes=st.none() | st.integers(1, 2**40)
    ),
    mounts=st.lists(mounts, max_size=4).map(tuple),
    labels=st.dictionaries(names, names),
)  # fmt: skip
FILES = texts(a__b="1", a__c="2")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(services)
def test_any_service_becomes_valid_manifests(service: Service):
    made = rendered(service, files=FILES)
    assert made[-1]["metadata"]["name"] == kube_name(service.name)
    if not refused(service):
        assert [found for each in pods(made).values() for found in breaks("baseline", each)] == []
