"""What a service finds in its file system."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.kubernetes.made import container, helpers, named, pod, pods, refused, rendered, script, texts

from conductor.adapters.kubernetes.manifests.files import File, Files
from conductor.adapters.kubernetes.manifests.fillings import fillings
from conductor.adapters.kubernetes.manifests.layout import lay_out
from conductor.domain.stack import (
    BindMount,
    FileMount,
    Job,
    Mount,
    Resources,
    Restart,
    SecretText,
    Service,
    Stack,
    TmpfsMount,
    VolumeMount,
)

A = Service(name="a", image="x")
LARGE = File(content=None)


def mounting(*mounts: Mount, **changes: Any) -> Service:
    return replace(A, mounts=mounts, **changes)


def volume(service: Service, number: int = 0, **arguments: Any) -> Any:
    """Return the volume of a mount."""
    made = pod(service, **arguments)
    name = made["containers"][0]["volumeMounts"][number]["name"]
    return next(each for each in made["volumes"] if each["name"] == name)


def unpacked(config: Any) -> dict[str, tuple[int, bytes | str]]:
    content = gzip.decompress(base64.b64decode(config["binaryData"]["archive.tar.gz"]))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {
            entry.name: (entry.mode, entry.linkname or (archive.extractfile(entry) or io.BytesIO()).read())
            for entry in archive
        }


def test_a_named_volume_is_a_claim_and_what_file_systems_put_into_their_root_is_not_seen():
    service = mounting(
        VolumeMount(volume="My Data", target="/data", read_only=True, subpath="s"),
        VolumeMount(volume="My Data", target="/more"),
    )
    made = rendered(service)
    (claim,) = named(made, "PersistentVolumeClaim")
    spec = pods(made)["a"]["spec"]
    assert [v["persistentVolumeClaim"] for v in spec["volumes"] if "persistentVolumeClaim" in v] == [
        {"claimName": claim}
    ]
    first, second = spec["containers"][0]["volumeMounts"]
    assert (first["subPath"], first["readOnly"]) == ("data/s", True)
    assert (second["subPath"], "readOnly" in second) == ("data", False)


def test_a_new_volume_gets_what_the_image_has_there_unless_the_file_forbids_it():
    made = helpers(
        mounting(VolumeMount(volume="v", target="/it's here"), VolumeMount(volume=None, target="/own"))
    )
    content = made["conductor-content"]
    assert content["image"] == "x"
    assert content["command"][0] == "/conductor/tools/busybox"
    assert script(content).splitlines()[-2:] == ["copy volume-v '/it'\"'\"'s here'", "copy mount-1 /own"]
    assert list(helpers(mounting(VolumeMount(volume="v", target="/v", nocopy=True)))) == ["conductor-prepare"]


def test_a_read_only_folder_of_the_repository_is_a_config_map_that_shows_plain_files():
    service = mounting(BindMount(source="./conf/", target="/conf", read_only=True))
    files: Files = {
        "conf/a.conf": File(content=b"1"),
        "conf/sub/b.bin": File(content=b"\xff"),
        "conf/run.sh": File(content=b"!", executable=True),
        "other": File(content=b"no"),
    }
    made = rendered(service, files=files)
    (config,) = named(made, "ConfigMap").values()
    source = volume(service, files=files)["configMap"]
    content = {**config["data"], **{k: base64.b64decode(v) for k, v in config["binaryData"].items()}}
    assert {item["path"]: (content[item["key"]], item["mode"]) for item in source["items"]} == {
        "data/a.conf": ("1", 0o644),
        "data/sub/b.bin": (b"\xff", 0o644),
        "data/run.sh": ("!", 0o755),
    }
    assert config["data"]["a.conf"] == "1"
    (mount,) = container(service, files=files)["volumeMounts"]
    assert mount == {"name": "mount-0", "mountPath": "/conf", "subPath": "data", "readOnly": True}


def test_a_folder_that_can_be_written_is_unpacked_with_its_links_and_modes_into_a_volume_of_the_pod():
    service = mounting(BindMount(source="src", target="/app"))
    files: Files = {
        "src/run": File(content=b"!", executable=True),
        "src/deep/x": File(content=b"x"),
        "src/link": File(link="run"),
    }
    made = rendered(service, files=files)
    assert unpacked(named(made, "ConfigMap")["bound-src"]) == {
        "data": (0o755, b""),
        "data/deep": (0o755, b""),
        "data/deep/x": (0o644, b"x"),
        "data/link": (0o777, "run"),
        "data/run": (0o755, b"!"),
    }
    assert volume(service, files=files) == {"name": "bound-src", "emptyDir": {}}
    assert "unpack bound-src packed-src" in script(helpers(service, files=files)["conductor-prepare"])
    assert "PersistentVolumeClaim" not in {each["kind"] for each in made}


def test_what_one_service_writes_to_a_bound_folder_is_seen_by_the_others_that_bind_it_or_a_part_of_it():
    writer = mounting(BindMount(source="src", target="/app"))
    reader = mounting(BindMount(source="src/static", target="/srv", read_only=True), name="b")
    apart = mounting(BindMount(source="conf", target="/conf", read_only=True), name="c")
    made = rendered(writer, reader, apart, files=texts(src__static__x="1", conf__y="2"))
    assert list(named(made, "PersistentVolumeClaim")) == ["bound-src"]
    mounts = {name: each["spec"]["containers"][0]["volumeMounts"][0] for name, each in pods(made).items()}
    assert (mounts["a"]["name"], mounts["a"]["subPath"]) == ("bound-src", "data")
    assert (mounts["b"]["name"], mounts["b"]["subPath"], mounts["b"]["readOnly"]) == (
        "bound-src",
        "data/static",
        True,
    )
    assert mounts["c"]["name"] == "mount-0"
    groups = {
        name: each["metadata"]["labels"].get("conductor.dev/together") for name, each in pods(made).items()
    }
    assert groups == {"a": "with-a", "b": "with-a", "c": None}


def test_replicas_share_what_they_can_write():
    service = mounting(BindMount(source="src", target="/app"), replicas=2)
    assert "persistentVolumeClaim" in volume(service, files=texts(src__x="1"))


def test_a_folder_that_is_not_there_is_made_and_outlasts_the_sleep_of_the_stack():
    service = mounting(BindMount(source="state", target="/state"))
    assert volume(service) == {
        "name": "bound-state",
        "persistentVolumeClaim": {"claimName": "bound-state"},
    }
    assert "folder bound-state data" in script(helpers(service)["conductor-prepare"])
    read_only = mounting(BindMount(source="state", target="/state", read_only=True))
    assert volume(read_only) == {"name": "bound-state", "emptyDir": {}}


def test_a_missing_part_of_a_bound_folder_is_made_inside_it():
    service = mounting(BindMount(source=".", target="/app"), BindMount(source="new dir", target="/new"))
    made = helpers(service, files=texts(x="1"))["conductor-prepare"]
    assert script(made).endswith("folder bound-x-cdb4ee2a 'data/new dir'")


def test_what_no_config_map_holds_is_filled_in_by_conductor_while_the_pod_waits():
    service = mounting(BindMount(source="big", target="/big"))
    layout = lay_out(Stack(name="s", services=(service,)), files={"big/blob": LARGE})
    (filling,) = fillings(layout, service)
    assert (filling.volume, filling.source, filling.container, filling.under) == (
        "bound-big",
        "big",
        "conductor-prepare",
        "data",
    )
    assert filling.command[-1] == "/conductor/volumes/bound-big"
    assert "await bound-big" in script(helpers(service, files={"big/blob": LARGE})["conductor-prepare"])
    assert fillings(lay_out(Stack(name="s", services=(service,)), files=texts(big__blob="1")), service) == ()


def test_what_compresses_into_a_config_map_is_no_filling():
    service = mounting(BindMount(source="big", target="/big"))
    made = rendered(service, files={"big/zeros": File(content=bytes(3_000_000))})
    assert list(named(made, "ConfigMap")) == ["bound-big"]


def test_a_job_of_the_stack_sees_what_the_services_write():
    service = mounting(BindMount(source="src", target="/app"))
    tests = Job(
        workload=mounting(BindMount(source="src", target="/src"), name="tests"), time_limit=timedelta(hours=1)
    )
    made = rendered(service, jobs=[tests], files=texts(src__x="1"))
    assert list(named(made, "PersistentVolumeClaim")) == ["bound-src"]


def suite(name: str, *mounts: Mount, job: str = "") -> Job:
    workload = replace(mounting(*mounts), name=job or f"tests-{name}")
    return Job(workload=workload, suite=name, time_limit=timedelta(hours=1))


SRC, WHOLE = BindMount(source="src", target="/app"), BindMount(source=".", target="/all", read_only=True)


@pytest.mark.parametrize("mounts", [(SRC,), (replace(SRC, read_only=True),), (WHOLE,), ()])
def test_a_service_is_applied_for_the_suites_that_start_last(mounts: tuple[Mount, ...]):
    """So it mounts what the suite mounts, in all that is applied before there is a job; without a suite it has a copy of its own."""
    web, e2e = mounting(SRC, name="web"), suite("e2e", *mounts)
    files = texts(src__x="1", y="2")
    before, together = (rendered(web, jobs=jobs, suites=[e2e], files=files) for jobs in ((), (e2e,)))
    assert [one for one in together if one in before] == before
    assert list(named(before, "PersistentVolumeClaim")) == (
        [] if not mounts else ["bound-src"] if mounts != (WHOLE,) else ["bound-x-cdb4ee2a"]
    )


def test_what_a_suite_writes_a_service_reads():
    reader = mounting(replace(SRC, read_only=True), name="web")
    made = rendered(reader, suites=[suite("e2e", SRC)], files=texts(src__x="1"))
    assert list(named(made, "PersistentVolumeClaim")) == ["bound-src"]
    assert list(named(rendered(reader, files=texts(src__x="1")), "PersistentVolumeClaim")) == []


def test_a_suite_that_runs_again_is_the_same_suite():
    alone, again = suite("e2e", SRC), suite("e2e", SRC, job="tests-e2e-2")
    made = rendered(jobs=[again], suites=[alone], files=texts(src__x="1"))
    assert "PersistentVolumeClaim" not in {each["kind"] for each in made}


def test_suites_that_share_a_folder_are_kept_on_one_node_whichever_starts_first():
    suites = [suite("api", SRC), suite("ui", SRC)]
    groups = {
        pods(rendered(jobs=[one], suites=suites))[one.workload.name]["metadata"]["labels"][
            "conductor.dev/together"
        ]
        for one in (*suites, suite("ui", SRC, job="tests-ui-2"))
    }
    assert groups == {"with-tests-api"}


def test_a_suite_ties_the_services_together_whose_volumes_it_mounts():
    volumes = [VolumeMount(volume=name, target=f"/{name}") for name in ("one", "two")]
    services = [mounting(volume, name=f"with-{volume.volume}") for volume in volumes]
    made = pods(rendered(*services, suites=[suite("e2e", *volumes)]))
    groups = {each["metadata"]["labels"].get("conductor.dev/together") for each in made.values()}
    assert groups == {"with-with-one"}


def test_memory_folders_have_dockers_mode_or_the_one_that_is_asked_for():
    service = mounting(
        TmpfsMount(target="/tmp", size_bytes=1024),
        TmpfsMount(target="/run", mode=0o700, options=("uid=5", "gid=6")),
    )
    assert volume(service)["emptyDir"] == {"medium": "Memory", "sizeLimit": "1024"}
    assert script(helpers(service)["conductor-prepare"]).splitlines()[-2:] == [
        "own mount-0 . 0:0 1777",
        "own mount-1 . 5:6 700",
    ]


def test_a_text_is_a_file_of_its_mode():
    service = mounting(FileMount(target="/run/c", content="text", mode=0o400))
    (config,) = named(rendered(service), "ConfigMap").values()
    assert config["data"] == {"data": "text"}
    assert volume(service)["configMap"]["items"] == [{"key": "data", "path": "data", "mode": 0o400}]


def test_a_config_that_is_a_file_of_the_repository_is_bound_with_its_own_mode_as_compose_does():
    service = mounting(FileMount(target="/c", source="conf/c", mode=0o400, uid=7))
    files: Files = {"conf/c": File(content=b"1", executable=True)}
    assert volume(service, files=files)["configMap"]["items"][0]["mode"] == 0o755
    assert helpers(service, files=files) == {}


def test_a_secret_alone_in_a_file_is_mounted_from_the_consumers_secret():
    service = mounting(
        FileMount(target="/run/secrets/k", content=SecretText(parts=("", "KEY", "")), secret=True)
    )
    assert volume(service)["secret"] == {
        "secretName": "a-secrets",
        "defaultMode": 0o444,
        "items": [{"key": "KEY", "path": "data"}],
    }
    assert helpers(service) == {}


def test_a_text_around_a_secret_is_written_by_the_tools_into_memory():
    text = SecretText(parts=("url=$(x) ", "KEY", "\n"))
    service = mounting(FileMount(target="/c", content=text, mode=0o440, uid=7, gid=8))
    made = helpers(service)["conductor-prepare"]
    assert script(made).splitlines()[-2:] == [
        'printf %s "$TEXT_0" > volumes/made/0',
        "own made 0 7:8 440",
    ]
    assert made["env"][1:] == [
        {
            "name": "CONDUCTOR_SECRET_KEY",
            "valueFrom": {"secretKeyRef": {"name": "a-secrets", "key": "KEY"}},
        },
        {"name": "TEXT_0", "value": "url=$$(x) $(CONDUCTOR_SECRET_KEY)\n"},
    ]
    assert volume(service) == {"name": "made", "emptyDir": {"medium": "Memory"}}


def test_an_owned_text_is_copied_by_the_tools():
    made = helpers(mounting(FileMount(target="/c", content="text", mode=0o400, uid=7)))["conductor-prepare"]
    assert script(made).splitlines()[-2:] == [
        '"$0" cat sources/mount-0/data > volumes/made/0',
        "own made 0 7:0 400",
    ]


def test_shared_memory_is_as_large_as_the_file_says():
    made = pod(mounting(resources=Resources(shm_bytes=1024)))
    assert made["volumes"] == [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1024"}}]


@pytest.mark.parametrize(
    ("service", "path"),
    [
        (mounting(TmpfsMount(target="/x", options=("nr_inodes=5",))), "services.a.volumes[0]"),
        (mounting(FileMount(target="/x", content="a" * 1_000_000)), "services.a.volumes[0]"),
        (mounting(VolumeMount(volume="v", target="/a:b")), "services.a.volumes[0]"),
        (mounting(VolumeMount(volume="v", target="/v", subpath="../w")), "services.a.volumes[0]"),
        (
            mounting(VolumeMount(volume="v", target="/v"), TmpfsMount(target="/v")),
            "services.a.volumes[1]",
        ),
        (
            mounting(FileMount(target="/x", content=SecretText(parts=("a" * 200_000, "K", "")))),
            "services.a.volumes[0]",
        ),
    ],
)
def test_a_mount_that_pods_cannot_have_is_refused(service: Service, path: str):
    assert refused(service) == [path]


def test_a_helper_that_keeps_owners_has_no_more_rights_than_that_needs_and_another_has_none():
    service = mounting(VolumeMount(volume="v", target="/v"), restart=Restart.ALWAYS)
    made = {name: helper["securityContext"] for name, helper in helpers(service).items()}
    keeps = {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]}
    assert {name: context["capabilities"] for name, context in made.items()} == {
        "conductor-prepare": {"drop": ["ALL"]},
        "conductor-content": keeps,
    }
    assert made["conductor-prepare"]["runAsNonRoot"] is True
    for context in made.values():
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
    unpacking = helpers(mounting(SRC), files=texts(src__x="1"))["conductor-prepare"]
    assert unpacking["securityContext"]["capabilities"] == keeps


def test_a_job_goes_where_the_volumes_are_that_it_shares_with_a_service_applied_before_it():
    service = mounting(VolumeMount(volume="v", target="/v"), name="web")
    tests = Job(workload=replace(service, name="a-suite"), time_limit=timedelta(hours=1))

    def group(name: str, *jobs: Job) -> str:
        return str(pods(rendered(service, jobs=jobs))[name]["metadata"]["labels"]["conductor.dev/together"])

    assert group("web") == group("web", tests) == group("a-suite", tests) == "with-web"
