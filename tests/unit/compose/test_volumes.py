from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import BindMount, TmpfsMount, Volume, VolumeMount

DATA = "volumes: {data: }"


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("data:/d", VolumeMount(volume="data", target="/d")),
        ("'data:/d:ro,nocopy'", VolumeMount(volume="data", target="/d", read_only=True, nocopy=True)),
        ("/anon", VolumeMount(volume=None, target="/anon")),
        ("./src:/app", BindMount(source="src", target="/app")),
        ("./src/:/app/:ro", BindMount(source="src", target="/app", read_only=True)),
        ("'.:/app:z,cached'", BindMount(source=".", target="/app")),
        ("'${PWD}/src:/app'", BindMount(source="src", target="/app")),
        ("{type: bind, source: ./src, target: /app, read_only: true}",
         BindMount(source="src", target="/app", read_only=True, create=False)),
        ("{type: bind, source: src, target: /app}", BindMount(source="src", target="/app", create=False)),
        ("{type: bind, source: src, target: /app, bind: {create_host_path: true}}", BindMount(source="src", target="/app")),
        ("{type: volume, source: data, target: /d, volume: {nocopy: true, subpath: a}}",
         VolumeMount(volume="data", target="/d", nocopy=True, subpath="a")),
        ("{type: volume, target: /d}", VolumeMount(volume=None, target="/d")),
        ("{type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 01777}}", TmpfsMount(target="/t", size_bytes=2**26, mode=0o1777)),
    ],
)  # fmt: skip
def test_every_form_of_a_mount(repository: Repository, written: str, mount: Any):
    assert repository.service(f"volumes: [{written}]", DATA).mounts == (mount,)


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("/run", TmpfsMount(target="/run")),
        (
            "['/run:size=64m,mode=755,noexec']",
            TmpfsMount(target="/run", size_bytes=2**26, mode=0o755, options=("noexec",)),
        ),
        ("/run:rw,uid=1000,gid=7,exec", TmpfsMount(target="/run", options=("uid=1000", "gid=7", "exec"))),
    ],
)
def test_every_form_of_a_tmpfs(repository: Repository, written: str, mount: Any):
    assert repository.service(f"tmpfs: {written}").mounts == (mount,)


def test_a_bind_mount_is_relative_to_its_compose_file(repository: Repository):
    repository.file("deploy/compose.yaml", "services: {web: {image: app, volumes: ['../src:/app']}}")
    assert repository.load("deploy/compose.yaml").stack.service("web").mounts == (
        BindMount(source="src", target="/app"),
    )


def test_only_volumes_that_are_used_are_in_the_stack(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: app, volumes: ['data:/d']}}\nvolumes: {data: {labels: [a=b]}, other: {external: true}}"
    )
    assert not loaded.problems
    assert loaded.stack.volumes == (Volume(name="data", labels={"a": "b"}),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("/etc/hosts:/x", "a path of the machine"),
        ("~/x:/x", "a path of the machine"),
        ("'C:\\x:/x'", "a path of the machine"),
        ("'${HOME}/.aws:/x'", "a path of the machine"),
        ("/var/run/docker.sock:/var/run/docker.sock", "has the machine"),
        ("{type: bind, source: /var/run/docker.sock, target: /x}", "has the machine"),
        ("../x:/x", "leads out of the repository through `..`"),
        ("dada:/x", "Did you mean `data`?"),
        ("nope:/x", "there is no volume `nope`"),
        ("'data:/x:foo'", "no option of a mount"),
        ("relative", "no absolute path"),
        ("{type: bind, target: /x}", "needs its `source`"),
        ("{target: /x}", "needs `type`"),
        ("{type: image, source: x, target: /x}", "type image"),
        (
            "{type: bind, source: ./no, target: /x, bind: {create_host_path: false}}",
            "there is no no to mount",
        ),
        ("{type: bind, source: ./x, target: /x, bind: {propagation: shared}}", "propagation"),
        ("5", "no absolute path"),
    ],
)
def test_what_cannot_be_mounted_is_refused_with_the_reason(repository: Repository, written: str, said: str):
    problems = repository.problems(f"volumes: [{written}]", DATA)
    assert len(problems) == 1
    assert said in problems[0]


def test_an_option_of_tmpfs_that_engines_differ_in_is_refused(repository: Repository):
    (problem,) = repository.problems("tmpfs: '/run:huge=always'")
    assert "huge=always" in problem


@pytest.mark.parametrize("written", ["tmpfs: [/x, '/x:size=1m']", "volumes: ['./x:/x']\ntmpfs: /x"])
def test_a_place_in_memory_has_no_other_mount(repository: Repository, written: str):
    (problem,) = repository.problems(written)
    assert "/x has a mount already" in problem


def test_of_two_volumes_in_one_place_the_last_one_is_taken(repository: Repository):
    assert [m.source for m in repository.service("volumes: ['./a:/x', './b:/x']").mounts] == ["b"]


FOLDER = "volumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: ./%s}}}"


def test_a_volume_that_is_a_folder_of_the_repository_is_that_folder(repository: Repository):
    repository.file("seed/a.sql", "")
    service = repository.service("volumes: ['data:/d:ro']", FOLDER % "seed")
    assert service.mounts == (BindMount(source="seed", target="/d", read_only=True, create=False),)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (FOLDER % "gone", "there is no folder gone"),
        (FOLDER.replace("./%s", "/srv"), "`driver_opts` is refused"),
        (FOLDER.replace("./%s", "../x"), "leads out"),
        ("volumes: {data: {driver_opts: {type: nfs, o: addr=x, device: ':/x'}}}", "`driver_opts` is refused"),
        ("volumes: {data: {external: true}}", "what is in it is not in the repository"),
    ],
)
def test_a_volume_of_the_machine_is_refused(repository: Repository, rest: str, said: str):
    (problem,) = repository.problems("volumes: ['data:/d']", rest)
    assert said in problem
