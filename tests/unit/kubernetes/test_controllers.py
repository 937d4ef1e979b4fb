"""What keeps the pods of a service: a Job for what may end, a Deployment or StatefulSet for what must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.kubernetes.made import PLACE, pod, rendered

from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.stack import Build, Job, Restart, Service, Stack, Volume, VolumeMount

A = Service(name="a", image="x")
HOLDER = replace(A, restart=Restart.ALWAYS, mounts=(VolumeMount(volume="v", target="/v"),))
TESTS = Job(workload=Service(name="tests", build=Build()), time_limit=timedelta(minutes=30))


def keeper(service: Service, **arguments: Any) -> Any:
    return rendered(service, **arguments)[-1]


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
    made = keeper(replace(A, restart=restart))
    assert (made["kind"], made["spec"]["template"]["spec"]["restartPolicy"]) == (kind, policy)


def test_a_one_shot_service_that_the_cluster_takes_away_is_made_again_and_its_own_failure_is_final():
    spec = keeper(A)["spec"]
    assert spec["backoffLimit"] == 0
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore"]


@pytest.mark.parametrize(("attempts", "limit"), [(3, 3), (None, 100), (0, 100)])
def test_a_service_that_failed_starts_again_as_often_as_the_file_says_and_nought_is_no_limit(
    attempts: int | None, limit: int
):
    made = keeper(replace(A, restart=Restart.ON_FAILURE, restart_attempts=attempts))
    assert made["spec"]["backoffLimit"] == limit


@pytest.mark.parametrize(("attempts", "policy"), [(3, "Never"), (None, "OnFailure")])
def test_each_of_a_number_of_tries_is_a_pod_of_its_own_so_that_the_last_exit_code_stays(
    attempts: int | None, policy: str
):
    spec = keeper(replace(A, restart=Restart.ON_FAILURE, restart_attempts=attempts))["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == policy


def test_the_failure_of_one_replica_leaves_the_others_running():
    spec = keeper(replace(A, replicas=3))["spec"]
    assert (spec["completionMode"], spec["parallelism"], spec["completions"]) == ("Indexed", 3, 3)
    assert spec["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in spec


def test_no_replicas_are_no_pods_and_no_success():
    spec = keeper(replace(A, replicas=0))["spec"]
    assert (spec["parallelism"], spec["completions"]) == (0, 1)


def test_a_deployment_never_runs_two_at_once():
    made = keeper(replace(A, restart=Restart.ALWAYS, replicas=2))["spec"]
    assert (made["strategy"], made["replicas"]) == ({"type": "Recreate"}, 2)


def test_what_holds_volumes_is_a_stateful_set_whose_replicas_all_mount_the_one_claim():
    made = keeper(replace(HOLDER, replicas=2))
    assert (made["kind"], made["spec"]["serviceName"], made["spec"]["replicas"]) == ("StatefulSet", "a", 2)
    assert "volumeClaimTemplates" not in made["spec"]
    volumes = made["spec"]["template"]["spec"]["volumes"]
    assert [v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v] == ["v"]


def test_a_host_name_is_kept_beside_volumes():
    made = keeper(replace(HOLDER, hostname="box"))
    assert (made["kind"], made["spec"]["template"]["spec"]["hostname"]) == ("Deployment", "box")


def test_pods_that_share_a_volume_stay_on_one_node_directly_and_through_others():
    def mounting(name: str, *volumes: str) -> Service:
        return replace(A, name=name, mounts=tuple(VolumeMount(volume=v, target=f"/{v}") for v in volumes))

    services = [
        mounting("one", "v"),
        mounting("two", "v", "w"),
        mounting("three", "w"),
        mounting("alone", "x"),
    ]
    made = {each["metadata"]["name"]: each["spec"]["template"] for each in rendered(*services)[-4:]}
    groups = {name: each["metadata"]["labels"].get("conductor.dev/together") for name, each in made.items()}
    assert groups == {"one": "with-one", "two": "with-one", "three": "with-one", "alone": "with-alone"}
    for name in ("one", "two", "three"):
        (term,) = made[name]["spec"]["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term["labelSelector"]["matchLabels"] == {"conductor.dev/together": "with-one"}


def test_volumes_that_several_nodes_mount_let_pods_go_where_they_like():
    made = rendered(replace(HOLDER, replicas=2), site=Site(access_mode="ReadWriteMany", storage_class="nfs"))
    (claim,) = (each["spec"] for each in made if each["kind"] == "PersistentVolumeClaim")
    assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteMany"], "nfs")
    assert "affinity" not in made[-1]["spec"]["template"]["spec"]


def test_a_test_job_is_found_under_no_name_and_is_on_every_network_of_the_stack():
    services = [replace(A, networks={"front": ()}), replace(A, name="b", networks={"back": ()})]
    labels = rendered(*services, jobs=[TESTS])[-1]["spec"]["template"]["metadata"]["labels"]
    assert [label for label in labels if label.startswith("dns.")] == []
    assert {label for label in labels if label.startswith("network.")} == {
        "network.conductor.dev/front",
        "network.conductor.dev/back",
    }


def test_no_pod_gets_a_token_or_the_variables_of_its_neighbours():
    made = pod(A)
    assert (made["automountServiceAccountToken"], made["enableServiceLinks"]) == (False, False)


def test_images_are_pulled_with_the_sites_secrets_and_pinned_ones_stay_as_they_are():
    image = "registry.example/app@sha256:" + "0" * 64
    made = pod(replace(A, image=image), site=Site(pull_secrets=("harbor",)))
    assert (made["imagePullSecrets"], made["containers"][0]["image"]) == ([{"name": "harbor"}], image)


@pytest.mark.parametrize(
    ("platform", "node"),
    [
        ("linux/arm64", {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}),
        ("linux/x86_64", {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}),
        ("linux", {"kubernetes.io/os": "linux"}),
    ],
)
def test_a_platform_chooses_the_node(platform: str, node: dict[str, str]):
    assert pod(replace(A, platform=platform))["nodeSelector"] == node


def test_grace_is_whole_seconds_and_a_pod_is_never_deleted_without_any():
    assert pod(replace(A, stop_grace_period=timedelta(seconds=1.5)))["terminationGracePeriodSeconds"] == 2
    assert pod(replace(A, stop_grace_period=timedelta(0)))["terminationGracePeriodSeconds"] == 1


def test_labels_and_annotations_of_the_file_are_kept_where_they_mean_nothing_to_the_cluster():
    key = "container.apparmor.security.beta.kubernetes.io/a"
    metadata = keeper(replace(A, labels={"traefik.enable": "true"}, annotations={key: "unconfined"}))["spec"][
        "template"
    ]["metadata"]
    assert metadata["annotations"] == {
        "conductor.dev/compose-labels": '{"traefik.enable": "true"}',
        "conductor.dev/compose-annotations": f'{{"{key}": "unconfined"}}',
    }


def test_labels_of_a_volume_are_kept_on_its_claim():
    stack = Stack(name="s", services=(HOLDER,), volumes=(Volume(name="v", labels={"a": "b"}),))
    (claim,) = [each for each in render(PLACE, stack) if each["kind"] == "PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"] == {"conductor.dev/compose-labels": '{"a": "b"}'}  # type: ignore[index]
