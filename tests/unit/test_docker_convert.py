"""What the docker engine is told: pure, compared whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from inline_snapshot import snapshot

from conductor.adapters.docker.containers import convert
from conductor.adapters.docker.containers.binds import copied, kept
from conductor.adapters.docker.containers.facts import Config, EngineFacts, ImageFacts
from conductor.adapters.docker.containers.healthcheck import LABEL_HEALTHCHECK, read_healthcheck
from conductor.adapters.docker.containers.naming import network_names
from conductor.adapters.docker.containers.networks import endpoints, published, with_stack_networks
from conductor.adapters.docker.containers.unsupported import unsupported
from conductor.adapters.docker.containers.wording import for_people
from conductor.domain.stack import (
    BindMount,
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
    VolumeMount,
)
from conductor.errors import UsageError
from conductor.ports.engine import Place

PLACE = Place(namespace="conductor-shop-abc234", run="shop-abc234", checkout="/src", publish=("web:80=8080",))
WEB = Service(name="web", image="nginx:1")


def told(service: Service, *, facts: EngineFacts | None = None, image: ImageFacts | None = None) -> Config:
    return convert.container(
        PLACE,
        Stack(name="shop", services=(service,)),
        service,
        instance="me",
        kind="service",
        facts=facts or EngineFacts(),
        image=image or ImageFacts(),
        wording=for_people(PLACE),
    )


def test_a_plain_service_is_told_with_its_labels_its_network_and_no_check_of_the_engines_own():
    assert told(Service(name="db", image="redis:7")) == snapshot(
        {
            "Image": "redis:7",
            "StopTimeout": 10,
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {
                "conductor.dev/instance": "me",
                "conductor.dev/run": "shop-abc234",
                "conductor.dev/namespace": "conductor-shop-abc234",
                "conductor.dev/workload": "db",
                "conductor.dev/kind": "service",
            },
            "HostConfig": {
                "NetworkMode": "conductor-shop-abc234",
                "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
                "LogConfig": {"Type": "json-file"},
            },
            "NetworkingConfig": {"EndpointsConfig": {"conductor-shop-abc234": {"Aliases": ["db"]}}},
        }
    )


def test_everything_that_a_service_can_have_is_told():
    whole = replace(
        WEB,
        command=("nginx", "-g", "daemon off;"),
        entrypoint=("/entry",),
        environment={"A": "1", "URL": SecretText(parts=("x://", "TOKEN", "@y"))},
        secret_keys=("KEY",),
        working_dir="/app",
        user="1000:1000",
        group_add=("5",),
        hostname="web1",
        domainname="example.test",
        container_name="the-web",
        networks={"default": ("shop",)},
        extra_hosts={"up": "10.0.0.1"},
        dns=("1.1.1.1",),
        ports=(Port(target=80),),
        expose=(9000,),
        healthcheck=Healthcheck(test=("CMD-SHELL", "true"), interval=timedelta(seconds=1)),
        mounts=(
            VolumeMount(volume="data", target="/data", read_only=True),
            VolumeMount(volume=None, target="/anonymous"),
            BindMount(source="conf", target="/conf", read_only=True),
            TmpfsMount(target="/tmp", size_bytes=1024, mode=0o1777),
            FileMount(target="/etc/app", source="app.conf"),
            FileMount(target="/run/secrets/x", content="y"),
        ),
        resources=Resources(
            cpus=0.5, memory_bytes=2**26, pids=50, shm_bytes=2**20, reserved_memory_bytes=2**20
        ),
        restart=Restart.ON_FAILURE,
        restart_attempts=3,
        cap_add=("NET_ADMIN",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        init=True,
        tty=True,
        stdin_open=True,
        sysctls={"net.core.somaxconn": "100"},
        ulimits={"nofile": (100, 200)},
        stop_signal="SIGINT",
        stop_grace_period=timedelta(seconds=1.5),
        labels={"theirs": "x", "conductor.dev/instance": "forged"},
    )
    assert told(whole) == snapshot(
        {
            "Image": "nginx:1",
            "Entrypoint": ["/entry"],
            "Cmd": ["nginx", "-g", "daemon off;"],
            "Env": ["A=1", "URL=x://${TOKEN}@y", "KEY=${KEY}"],
            "WorkingDir": "/app",
            "User": "1000:1000",
            "Hostname": "web1",
            "Domainname": "example.test",
            "Tty": True,
            "OpenStdin": True,
            "StopSignal": "SIGINT",
            "StopTimeout": 2,
            "Volumes": {"/anonymous": {}},
            "ExposedPorts": {"80/tcp": {}, "9000/tcp": {}},
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {
                "theirs": "x",
                "conductor.dev/instance": "me",
                "conductor.dev/run": "shop-abc234",
                "conductor.dev/namespace": "conductor-shop-abc234",
                "conductor.dev/workload": "web",
                "conductor.dev/kind": "service",
                "conductor.dev/healthcheck": '{"test": ["CMD-SHELL", "true"], "interval": 1.0, "timeout": 30.0, "retries": 3, "start_period": 0.0, "start_interval": 5.0}',  # noqa: E501
            },
            "HostConfig": {
                "NetworkMode": "conductor-shop-abc234",
                "Binds": [
                    "conductor-shop-abc234-data:/data:ro",
                    "/src/conf:/conf:ro",
                    "/src/app.conf:/etc/app:ro",
                ],
                "Tmpfs": {"/tmp": "size=1024,mode=1777"},
                "Memory": 67108864,
                "MemoryReservation": 1048576,
                "NanoCpus": 500000000,
                "PidsLimit": 50,
                "ShmSize": 1048576,
                "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
                "CapAdd": ["NET_ADMIN"],
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Init": True,
                "Sysctls": {"net.core.somaxconn": "100"},
                "ExtraHosts": ["up:10.0.0.1"],
                "Dns": ["1.1.1.1"],
                "GroupAdd": ["5"],
                "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
                "LogConfig": {"Type": "json-file"},
            },
            "NetworkingConfig": {
                "EndpointsConfig": {"conductor-shop-abc234": {"Aliases": ["web", "shop", "the-web", "web1"]}}
            },
        }
    )


def test_podman_is_told_what_only_podman_needs():
    limited = EngineFacts(podman=True, selinux=True, hard_limits={"nofile": 1000, "nproc": 500})
    host = told(
        replace(WEB, ulimits={"nofile": (5000, -1)}, mounts=(BindMount(source="a", target="/a"),)),
        facts=limited,
    )["HostConfig"]
    assert (host["LogConfig"], host["Binds"]) == ({"Type": "k8s-file"}, ["/src/a:/a:z"])
    assert host["Ulimits"] == [
        {"Name": "nofile", "Soft": 1000, "Hard": 1000},
        {"Name": "nproc", "Soft": 500, "Hard": 500},
    ]


@pytest.mark.parametrize(
    ("entrypoint", "command", "expected"),
    [
        (None, None, (None, None)),
        (None, ("a",), (None, ["a"])),
        (("e",), None, (["e"], [])),
        (("e",), ("a", "b"), (["e"], ["a", "b"])),
        ((), ("a", "b"), (["a", "b"], [])),
        ((), None, (["image-cmd"], [])),
    ],
)
def test_entrypoint_and_command_mean_what_compose_says(entrypoint, command, expected):  # noqa: ANN001
    config = told(
        replace(WEB, entrypoint=entrypoint, command=command), image=ImageFacts(command=("image-cmd",))
    )
    assert (config.get("Entrypoint"), config.get("Cmd")) == expected


def test_the_image_s_check_counts_where_the_service_has_none_and_never_where_it_is_disabled():
    check = Healthcheck(test=("CMD", "look"))
    image = ImageFacts(healthcheck=check)
    label = told(WEB, image=image)["Labels"][LABEL_HEALTHCHECK]
    assert read_healthcheck(label) == check
    own = replace(WEB, healthcheck=Healthcheck(test=("CMD", "own"), retries=9))
    assert read_healthcheck(told(own, image=image)["Labels"][LABEL_HEALTHCHECK]).retries == 9
    assert LABEL_HEALTHCHECK not in told(replace(WEB, healthcheck_disabled=True), image=image)["Labels"]


def test_one_network_is_the_namespace_s_own_and_several_are_one_each():
    one = Stack(name="s", services=(WEB,))
    assert network_names(PLACE, one) == {"default": "conductor-shop-abc234"}
    front, back = replace(WEB, networks={"front": ()}), replace(WEB, name="db", networks={"back": ("store",)})
    several = Stack(name="s", services=(front, back), networks=(Network(name="front"), Network(name="back")))
    assert network_names(PLACE, several) == {
        "front": "conductor-shop-abc234-front",
        "back": "conductor-shop-abc234-back",
    }
    assert endpoints(PLACE, several, back) == {"conductor-shop-abc234-back": {"Aliases": ["db", "store"]}}


def test_a_network_that_is_internal_is_not_the_namespace_s_own():
    closed = Stack(name="s", services=(WEB,), networks=(Network(name="default", internal=True),))
    assert network_names(PLACE, closed) == {"default": "conductor-shop-abc234-default"}


def test_a_job_is_on_every_network_unless_it_names_its_own():
    stack = Stack(
        name="s", services=(replace(WEB, networks={"a": ()}), replace(WEB, name="b", networks={"b": ()}))
    )
    job = Job(workload=Service(name="tests", image="x"), time_limit=timedelta(1))
    assert set(with_stack_networks(stack, job).networks) == {"a", "b"}
    own = replace(job, workload=replace(job.workload, networks={"b": ()}))
    assert set(with_stack_networks(stack, own).networks) == {"b"}


def test_files_that_would_be_hidden_or_refused_are_mounted_and_the_others_copied():
    over_memory = replace(
        WEB,
        mounts=(
            TmpfsMount(target="/run"),
            FileMount(target="/run/x", content="a"),
            FileMount(target="/y", content="b"),
        ),
    )
    assert [file.target for file in copied(over_memory)] == ["/y"]
    assert [file.target for file in kept(over_memory)] == ["/run/x"]
    read_only = replace(over_memory, read_only=True)
    assert [file.target for file in kept(read_only)] == ["/run/x", "/y"]


@pytest.mark.parametrize("wish", ["web", "web:", ":80", "web:http", "web:80=x"])
def test_a_port_that_cannot_be_read_is_named(wish: str):
    with pytest.raises(UsageError, match="publish"):
        published(replace(PLACE, publish=(wish,)), "web")


def test_what_the_engine_cannot_do_is_said_before_anything_starts():
    odd = replace(
        WEB,
        init=True,
        mounts=(VolumeMount(volume="v", target="/v", subpath="x"), BindMount(source="a:b", target="/a")),
    )
    entries = unsupported(Stack(name="s", services=(odd,)), (), facts=EngineFacts(podman=True, init=False))
    assert [entry.path for entry in entries] == [
        "services.web.init",
        "services.web.volumes[0]",
        "services.web.volumes[1]",
    ]
    assert all(entry.why and entry.instead for entry in entries)
    assert unsupported(Stack(name="s", services=(WEB,)), (), facts=EngineFacts()) == ()
