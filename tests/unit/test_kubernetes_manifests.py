"""Manifests of a stack: valid for Kubernetes, with Compose's meaning. A stored snapshot shows the shop's; the other tests say why."""

import base64
import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.adapters.kubernetes.manifests.containers import escaped
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.unsupported import unsupported
from conductor.domain.stack import (
    BindMount,
    Build,
    Condition,
    Dependency,
    FileMount,
    Healthcheck,
    Job,
    Network,
    Port,
    Resources,
    Restart,
    SecretText,
    Service,
    Stack,
    TmpfsMount,
    Volume,
    VolumeMount,
)
from conductor.ports.engine import Place

SNAPSHOT = Path(__file__).parent / "snapshots" / "kubernetes-shop.yaml"
PLACE = Place(namespace="conductor-shop-k3v9qd", run="shop-k3v9qd")

SHOP = Stack(
    name="shop",
    services=(
        Service(name="redis", image="redis:7-alpine", mounts=(VolumeMount(volume="data", target="/data"),)),
        Service(
            name="backend",
            build=Build(context="backend"),
            environment={"REDIS_URL": "redis://redis:6379", "MAIL": SecretText(parts=("smtp://u:", "MAIL_KEY", "@mailhog"))},
            secret_keys=("OPENAI_API_KEY",),
            ports=(Port(target=3001, published="3001"),),
            depends_on=(Dependency(service="redis"),),
            healthcheck=Healthcheck(
                test=("CMD-SHELL", "curl -f http://localhost:3001/$PATH_OF_HEALTH"),
                interval=timedelta(seconds=5),
                timeout=timedelta(seconds=2),
                retries=10,
            ),
            resources=Resources(cpus=0.5, memory_bytes=256 * 1024**2),
            restart=Restart.UNLESS_STOPPED,
        ),
        Service(name="mailhog", image="mailhog/mailhog:v1.0.1", expose=(1025, 8025), networks={"default": ("mail",)}),
        Service(
            name="frontend",
            build=Build(context="frontend"),
            ports=(Port(target=80),),
            depends_on=(Dependency(service="backend", condition=Condition.HEALTHY),),
            mounts=(BindMount(source="./nginx.conf", target="/etc/nginx/nginx.conf", read_only=True),),
        ),
    ),
    volumes=(Volume(name="data"),),
)  # fmt: skip
FILES = {"nginx.conf": b"events {}\n"}
TESTS = Job(
    workload=Service(name="tests", build=Build(), entrypoint=("sh", "-c"), command=("yarn test $(date)",)),
    time_limit=timedelta(minutes=30),
)


def objects(
    *services: Service, jobs: tuple[Job, ...] = (), site: Site | None = None, **files: bytes
) -> list[Any]:
    volumes = tuple(
        Volume(name=m.volume) for s in services for m in s.mounts if isinstance(m, VolumeMount) and m.volume
    )
    stack = Stack(name="s", services=services, volumes=volumes)
    made = render(PLACE, stack, jobs, files={k.replace("__", "/"): v for k, v in files.items()}, site=site)
    for manifest in made:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    return list(made)


def of_kind(made: list[Any], kind: str) -> list[Any]:
    return [manifest for manifest in made if manifest["kind"] == kind]


def pod(service: Service, **files: bytes) -> Any:
    made = objects(service, **files)
    return next(m for m in made if m["kind"] in ("Job", "Deployment"))["spec"]["template"]["spec"]


def container(service: Service, **files: bytes) -> Any:
    return pod(service, **files)["containers"][0]


def why(service: Service) -> list[str]:
    return [entry.path for entry in unsupported(Stack(name="s", services=(service,)))]


def test_the_shops_manifests_are_those_that_were_looked_at():
    made = yaml.safe_dump_all(render(PLACE, SHOP, [TESTS], files=FILES), sort_keys=False)
    if os.environ.get("CONDUCTOR_UPDATE_SNAPSHOTS"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(made)
    assert made == SNAPSHOT.read_text(), (
        "if this is meant: CONDUCTOR_UPDATE_SNAPSHOTS=1 pytest, and read the difference"
    )


def test_every_manifest_of_the_shop_is_valid_for_kubernetes():
    made = render(PLACE, SHOP, [TESTS], files=FILES)
    for manifest in made:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    kinds = [manifest["kind"] for manifest in made]
    assert kinds == [
        "Namespace", "LimitRange", "ResourceQuota", "NetworkPolicy", "NetworkPolicy", "PersistentVolumeClaim",
        "Service", "Service", "Service", "Service", "Service", "Job", "Deployment", "Job", "ConfigMap", "Job", "Job",
    ]  # fmt: skip


def test_the_shop_can_be_carried_whole():
    assert unsupported(SHOP, [TESTS], files=FILES) == ()


def test_rendering_twice_gives_the_same():
    assert render(PLACE, SHOP, [TESTS], files=FILES) == render(PLACE, SHOP, [TESTS], files=FILES)


def test_the_namespace_enforces_baseline_and_bears_the_marks_of_its_owner():
    labels = of_kind(objects(Service(name="a", image="x"), site=Site(instance="two")), "Namespace")[0][
        "metadata"
    ]["labels"]
    assert labels == {
        "app.kubernetes.io/managed-by": "conductor",
        "conductor.dev/instance": "two",
        "conductor.dev/run": "shop-k3v9qd",
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
    }


@pytest.mark.parametrize(
    ("restart", "kind", "policy"),
    [
        (Restart.NO, "Job", "Never"),
        (Restart.ON_FAILURE, "Job", "OnFailure"),
        (Restart.ALWAYS, "Deployment", "Always"),
        (Restart.UNLESS_STOPPED, "Deployment", "Always"),
    ],
)
def test_what_may_end_is_a_job_and_what_must_not_a_deployment(restart: Restart, kind: str, policy: str):
    made = objects(Service(name="a", image="x", restart=restart))[-1]
    assert (made["kind"], made["spec"]["template"]["spec"]["restartPolicy"]) == (kind, policy)


def test_a_one_shot_service_that_the_cluster_takes_away_is_made_again_and_its_own_failure_is_final():
    spec = objects(Service(name="a", image="x"))[-1]["spec"]
    assert spec["backoffLimit"] == 0
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore"]


def test_a_deployment_never_runs_two_at_once():
    made = objects(Service(name="a", image="x", restart=Restart.ALWAYS, replicas=2))[-1]["spec"]
    assert (made["strategy"], made["replicas"]) == ({"type": "Recreate"}, 2)


def test_every_name_of_a_service_finds_its_pod_on_every_port_before_it_is_ready():
    made = objects(
        Service(name="Api", image="x", networks={"default": ("api-alias",)}, container_name="shop-api")
    )
    services = {m["metadata"]["name"]: m["spec"] for m in of_kind(made, "Service")}
    assert set(services) == {"api", "api-alias", "shop-api"}
    labels = made[-1]["spec"]["template"]["metadata"]["labels"]
    for spec in services.values():
        assert spec["clusterIP"] == "None"
        assert spec["publishNotReadyAddresses"] is True
        assert "ports" not in spec
        assert spec["selector"].items() <= labels.items()


def test_an_alias_that_two_services_share_finds_both():
    one, two = (Service(name=n, image="x", networks={"default": ("db",)}) for n in ("one", "two"))
    made = objects(one, two)
    selector = next(m for m in of_kind(made, "Service") if m["metadata"]["name"] == "db")["spec"]["selector"]
    assert all(
        selector.items() <= m["spec"]["template"]["metadata"]["labels"].items() for m in of_kind(made, "Job")
    )


def test_a_test_job_is_found_under_no_name_and_its_time_limit_stands_on_the_pod():
    made = objects(Service(name="a", image="x"), jobs=(TESTS,))
    spec = made[-1]["spec"]
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 1800
    assert "activeDeadlineSeconds" not in spec
    assert not [label for label in spec["template"]["metadata"]["labels"] if label.startswith("dns.")]
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["FailJob"]


def test_no_pod_gets_a_token_or_the_variables_of_its_neighbours():
    made = pod(Service(name="a", image="x"))
    assert (made["automountServiceAccountToken"], made["enableServiceLinks"]) == (False, False)


def test_who_shares_a_network_can_talk_and_an_internal_one_leads_nowhere_else():
    stack = Stack(
        name="s",
        services=(Service(name="a", image="x", networks={"front": (), "back": ()}),),
        networks=(Network(name="front"), Network(name="back", internal=True)),
    )
    made = {m["metadata"]["name"]: m["spec"] for m in of_kind(list(render(PLACE, stack)), "NetworkPolicy")}
    assert made["namespace"]["ingress"] == []
    assert [len(made[name]["egress"]) for name in ("network-front", "network-back")] == [2, 1]
    labels = render(PLACE, stack)[-1]["spec"]["template"]["metadata"]["labels"]  # type: ignore[index]
    for name in ("network-front", "network-back"):
        assert made[name]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_outside_is_shut_off_where_the_site_says_so_and_callers_come_in_where_it_names_them():
    made = objects(Service(name="a", image="x"), site=Site(egress=False, callers=("monitoring",)))
    policies = of_kind(made, "NetworkPolicy")
    assert "ipBlock" not in str(policies)
    assert "monitoring" in str(policies[0]["spec"]["ingress"])


def test_an_entrypoint_is_kubernetes_command_and_a_command_its_args():
    both = container(Service(name="a", image="x", entrypoint=("e",), command=("c", "d")))
    assert (both["command"], both["args"]) == (["e"], ["c", "d"])
    alone = container(Service(name="a", image="x", command=("c",)))
    assert ("command" in alone, alone["args"]) == (False, ["c"])


def test_an_entrypoint_of_nothing_lets_the_command_take_its_place():
    made = container(Service(name="a", image="x", entrypoint=(), command=("c",)))
    assert (made["command"], "args" in made) == (["c"], False)
    assert why(Service(name="a", image="x", entrypoint=())) == ["services.a.entrypoint"]


def test_secrets_are_there_by_name_only_and_before_what_is_made_of_them():
    text = SecretText(parts=("postgres://app:", "DB_PASSWORD", "@db/$(x)"))
    environment = {"URL": text, "KEY": SecretText(parts=("", "OTHER", "")), "DB_PASSWORD": "mine"}
    env = container(Service(name="a", image="x", secret_keys=("S", "KEY"), environment=environment))["env"]
    assert [(e["name"], e.get("value") or e["valueFrom"]["secretKeyRef"]["key"]) for e in env] == [
        ("S", "S"),
        ("CONDUCTOR_SECRET_DB_PASSWORD", "DB_PASSWORD"),
        ("URL", "postgres://app:$(CONDUCTOR_SECRET_DB_PASSWORD)@db/$$(x)"),
        ("KEY", "OTHER"),
        ("DB_PASSWORD", "mine"),
    ]
    assert {e["valueFrom"]["secretKeyRef"]["name"] for e in env if "valueFrom" in e} == {"a-secrets"}


def as_kubernetes_expands(text: str) -> str:
    """Replace as third_party/forked/golang/expansion does, with no variable known."""
    return re.sub(r"\$(\$|\([^)]*\)|)", lambda m: "$" if m[1] == "$" else m[0], text)


@given(st.text(alphabet="$()aB ", max_size=12))
def test_kubernetes_reads_back_what_compose_said(text: str):
    assert as_kubernetes_expands(escaped(text)) == text
    assert not re.search(r"(?<!\$)(?:\$\$)*\$\(", escaped(text))


def test_a_health_check_makes_a_pod_ready_and_never_kills_it():
    check = Healthcheck(
        test=("CMD", "ok", "$(x)"), interval=timedelta(seconds=0.5), timeout=timedelta(seconds=2), retries=4
    )
    made = container(Service(name="a", image="x", healthcheck=check))
    assert "livenessProbe" not in made
    assert made["startupProbe"]["failureThreshold"] == 1_000_000
    assert made["readinessProbe"] == {
        "exec": {"command": ["ok", "$(x)"]},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 4,
    }
    shell = container(Service(name="a", image="x", healthcheck=replace(check, test=("CMD-SHELL", "a || b"))))
    assert shell["readinessProbe"]["exec"]["command"] == ["/bin/sh", "-c", "a || b"]
    assert "readinessProbe" not in container(
        Service(name="a", image="x", healthcheck=check, healthcheck_disabled=True)
    )


def test_a_limit_reserves_only_a_little_of_itself():
    made = container(Service(name="a", image="x", resources=Resources(cpus=2, memory_bytes=1024**3)))[
        "resources"
    ]
    assert made == {
        "limits": {"cpu": "2000m", "memory": "1073741824"},
        "requests": {"cpu": "50m", "memory": "67108864"},
    }
    asked = Resources(reserved_cpus=0.25, reserved_memory_bytes=1024**2)
    assert container(Service(name="a", image="x", resources=asked))["resources"] == {
        "limits": {"cpu": "2000m", "memory": "1073741824"},
        "requests": {"cpu": "250m", "memory": "1048576"},
    }


def test_security_and_identity_are_those_of_the_file():
    service = Service(
        name="a", image="x", user="1000:2000", cap_drop=("ALL",), cap_add=("CAP_CHOWN",), read_only=True, init=True,
        security_opt=("no-new-privileges:true",), group_add=("3",), hostname="Box", platform="linux/arm64",
        extra_hosts={"one": "10.0.0.1", "two": "10.0.0.1"}, stop_grace_period=timedelta(seconds=1.5), tty=True,
    )  # fmt: skip
    made = pod(service)
    assert made["containers"][0]["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "capabilities": {"add": ["CHOWN"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
    }
    assert made["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["one", "two"]}]
    assert (made["terminationGracePeriodSeconds"], made["hostname"], made["shareProcessNamespace"]) == (
        2,
        "box",
        True,
    )
    assert made["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "supplementalGroups": [3],
    }
    assert made["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}
    assert why(service) == []


def test_mounts_of_every_kind_find_their_place():
    service = Service(
        name="a",
        image="x",
        mounts=(
            VolumeMount(volume="My Data", target="/data", read_only=True, subpath="s"),
            VolumeMount(volume="My Data", target="/more"),
            VolumeMount(volume=None, target="/own"),
            TmpfsMount(target="/tmp", size_bytes=1024),
            BindMount(source="conf", target="/conf"),
            FileMount(target="/run/c", content="text", mode=0o400),
        ),
    )
    made = objects(service, conf__a=b"1", conf__sub__b=b"\xff")
    spec = made[-1]["spec"]["template"]["spec"]
    config = of_kind(made, "ConfigMap")[0]
    assert [m["mountPath"] for m in spec["containers"][0]["volumeMounts"]] == [
        "/data",
        "/more",
        "/own",
        "/tmp",
        "/conf",
        "/run/c",
    ]
    claims = [v for v in spec["volumes"] if "persistentVolumeClaim" in v]
    assert [c["persistentVolumeClaim"]["claimName"] for c in claims] == [
        of_kind(made, "PersistentVolumeClaim")[0]["metadata"]["name"]
    ]
    folder = next(v for v in spec["volumes"] if v["name"] == "mount-4")["configMap"]
    content = {**config["data"], **{k: base64.b64decode(v) for k, v in config["binaryData"].items()}}
    assert {item["path"]: content[item["key"]] for item in folder["items"]} == {"a": "1", "sub/b": b"\xff"}
    assert next(v for v in spec["volumes"] if v["name"] == "mount-5")["configMap"]["defaultMode"] == 0o400


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": "my_db"}, "services.my_db"),
        ({"networks": {"default": ("db.local",)}}, "services.a"),
        ({"cap_add": ("SYS_ADMIN",)}, "services.a.cap_add"),
        ({"security_opt": ("seccomp:unconfined",)}, "services.a.security_opt"),
        ({"user": "node"}, "services.a.user"),
        ({"group_add": ("wheel",)}, "services.a.group_add"),
        ({"dns": ("1.1.1.1",)}, "services.a.dns"),
        ({"domainname": "x"}, "services.a.domainname"),
        ({"extra_hosts": {"h": "host-gateway"}}, "services.a.extra_hosts"),
        ({"stop_signal": "SIGINT"}, "services.a.stop_signal"),
        ({"ulimits": {"nofile": (1, 2)}}, "services.a.ulimits"),
        ({"resources": Resources(pids=5)}, "services.a.pids_limit"),
        ({"sysctls": {"kernel.msgmax": "1"}}, "services.a.sysctls.kernel.msgmax"),
        ({"command": ()}, "services.a.command"),
        ({"environment": {"A B": "x"}}, "services.a.environment.A B"),
        ({"replicas": 2, "mounts": (VolumeMount(volume="v", target="/v"),)}, "services.a.deploy.replicas"),
        ({"mounts": (BindMount(source="gone", target="/x"),)}, "services.a.volumes[0]"),
        ({"mounts": (TmpfsMount(target="/x", mode=0o700),)}, "services.a.volumes[0]"),
        (
            {"mounts": (FileMount(target="/x", content=SecretText(parts=("", "A", ""))),)},
            "services.a.volumes[0]",
        ),
        ({"mounts": (FileMount(target="/x", content="a", uid=5),)}, "services.a.volumes[0]"),
        ({"mounts": (FileMount(target="/x", content="a" * 1_000_000),)}, "services.a.volumes"),
    ],
)
def test_what_is_not_carried_is_said_with_the_reason(changes: dict[str, Any], path: str):
    service = replace(Service(name="a", image="x"), **changes)
    found = unsupported(Stack(name="s", services=(service,)))
    assert [entry.path for entry in found] == [path]
    assert found[0].why
    assert found[0].instead


def test_reports_of_a_suite_and_a_name_that_it_shares_with_a_service_are_said():
    job = replace(TESTS, reports=("reports/*.xml",))
    stack = Stack(name="s", services=(Service(name="tests", image="x"),))
    assert [entry.path for entry in unsupported(stack, [job])] == ["tests.tests.reports", "tests.tests.name"]


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


names = st.text(alphabet="abcXYZ019-_. é/", min_size=1, max_size=70)
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
    replicas=st.integers(1, 3),
    expose=st.lists(st.integers(1, 65535)).map(tuple),
    healthcheck=st.none() | st.builds(Healthcheck, test=st.sampled_from([("CMD", "a"), ("CMD-SHELL", "b")])),
    resources=st.builds(
        Resources, cpus=st.none() | st.floats(0.001, 64), memory_bytes=st.none() | st.integers(1, 2**40)
    ),
    mounts=st.lists(st.builds(VolumeMount, volume=st.none() | names, target=st.just("/x"))).map(tuple),
    labels=st.dictionaries(names, names),
)


@settings(max_examples=10, deadline=None)
@given(services)
def test_any_service_becomes_valid_manifests(service: Service):
    assert objects(service)[-1]["metadata"]["name"] == kube_name(service.name)
