"""`network_mode`, `ipc`, `pid` and `volumes_from`: what a service has of another one."""

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import (
    BindMount,
    Dependency,
    FileMount,
    Network,
    Service,
    SharedMounts,
    Stack,
    VolumeMount,
)


def stack(repository: Repository, text: str) -> Stack:
    loaded = repository.loaded(text)
    assert not loaded.problems, loaded.problems
    return loaded.stack


def with_db(repository: Repository, attributes: str) -> Service:
    return stack(repository, f"services: {{web: {{image: a, {attributes}}}, db: {{image: d}}}}").service(
        "web"
    )


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ("network_mode: 'service:db'", "network_of"),
        ("ipc: 'service:db'", "ipc_of"),
        ("pid: 'service:db'", "pid_of"),
    ],
)
def test_who_shares_a_namespace_starts_after_its_owner(repository: Repository, attributes: str, field: str):
    web = with_db(repository, attributes)
    assert getattr(web, field) == "db"
    assert web.depends_on == (Dependency(service="db", restart=True),)


def test_who_has_anothers_network_has_none_of_its_own(repository: Repository):
    web = with_db(repository, "network_mode: 'service:db'")
    assert web.networks == {}
    assert web.dns_names == ()


def test_a_service_may_be_without_a_network(repository: Repository):
    loaded = stack(repository, "services: {web: {image: a, network_mode: none}}")
    assert loaded.service("web").networks == {}
    assert loaded.networks == ()


def test_services_on_the_bridge_are_on_one_of_the_runs_own(repository: Repository):
    loaded = stack(
        repository,
        "services: {web: {image: a, network_mode: bridge, links: ['db:x']}, db: {image: d, network_mode: bridge}, c: {image: c}}",
    )
    assert loaded.service("web").networks == {"bridge": ()}
    assert loaded.service("db").networks == {"bridge": ("x",)}
    assert loaded.networks == (Network(name="bridge"), Network(name="default"))


def test_memory_is_shared_with_those_who_name_it(repository: Repository):
    assert with_db(repository, "ipc: shareable").ipc_shareable
    assert not with_db(repository, "ipc: private").ipc_shareable


@pytest.mark.parametrize(
    "attributes",
    [
        "hostname: h",
        "dns: 1.1.1.1",
        "ports: [80]",
        "extra_hosts: ['a=1.1.1.1']",
        "expose: [1]",
        "mac_address: 02:42:ac:11:00:02",
    ],
)
def test_what_belongs_to_a_network_is_said_where_that_network_is(repository: Repository, attributes: str):
    loaded = repository.loaded(
        f"services: {{web: {{image: a, network_mode: 'service:db', {attributes}}}, db: {{image: d}}}}"
    )
    (problem,) = loaded.problems
    assert "exclude each other" in problem.message
    assert problem.remedy == "Give it to the service db."


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ("network_mode: host", "`network_mode` is refused"),
        ("network_mode: some-network", "`network_mode` is refused"),
        ("network_mode: 'service:web'", "wait for each other"),
        ("network_mode: none\nnetworks: [default]", "exclude each other"),
        ("ipc: host", "`ipc` is refused"),
        ("ipc: 'service:gone'", "there is no service `gone`"),
        ("pid: 'container:x'", "`pid` is refused"),
        ("volumes_from: [gone]", "there is no service `gone`"),
        ("volumes_from: ['web:odd']", "no way to share mounts"),
        ("volumes_from: [web]", "wait for each other"),
    ],
)
def test_what_cannot_be_shared_is_said(repository: Repository, attributes: str, said: str):
    assert any(said in problem for problem in repository.problems(attributes))


MOUNTS = """
services:
  web: {image: a, volumes_from: [db, "files:ro"], volumes: ["./own:/taken"]}
  db: {image: d, volumes: ["data:/data", /anonymous, "./db:/taken"], tmpfs: /memory}
  files: {image: f, volumes: ["./src:/src"], configs: [c, d], volumes_from: [more]}
  more: {image: m, volumes: ["data:/more"]}
volumes: {data: }
configs: {c: {file: compose.yaml}, d: {content: x}}
"""


def test_mounts_of_others_are_shared_as_docker_shares_them(repository: Repository):
    web = stack(repository, MOUNTS).service("web")
    assert web.volumes_from == (SharedMounts(service="db"), SharedMounts(service="files", read_only=True))
    assert web.mounts == (
        BindMount(source="own", target="/taken"),
        VolumeMount(volume="data", target="/data"),
        VolumeMount(volume="db-volume-2", target="/anonymous"),
        BindMount(source="src", target="/src", read_only=True),
        FileMount(source="compose.yaml", target="/c"),
        VolumeMount(volume="data", target="/more", read_only=True),
    )
    assert [d.service for d in web.depends_on] == ["db", "files"]


def test_an_anonymous_volume_that_is_shared_has_one_name_for_both(repository: Repository):
    made = stack(repository, MOUNTS)
    assert VolumeMount(volume="db-volume-2", target="/anonymous") in made.service("db").mounts
    assert "db-volume-2" in [volume.name for volume in made.volumes]


def test_anonymous_volumes_of_several_containers_cannot_be_shared(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: a, volumes_from: [db]}, db: {image: d, scale: 2, volumes: [/x]}}"
    )
    assert ["each container of db has its own volume /x" in p.message for p in loaded.problems] == [True]
