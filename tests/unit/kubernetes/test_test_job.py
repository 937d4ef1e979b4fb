"""The Job of a suite: its command under the runner, its collector beside it, its limits on the pod."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import kubernetes_validate

from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.test_job import (
    COLLECTOR,
    FINALIZER,
    HOLD_SECONDS,
    PACKING_SECONDS,
    START_SECONDS,
)
from conductor.domain.stack import Job, Service, Stack
from conductor.ports.engine import Place

JOB = Job(
    workload=Service(name="tests", image="t:1", entrypoint=("sh", "-c"), command=("yarn test $(date)",)),
    time_limit=timedelta(minutes=30),
    reports=("reports/**/*.xml",),
    artifacts=("coverage/",),
)


def made(job: Job = JOB) -> dict[str, Any]:
    objects = render(
        Place(namespace="n", run="r"), Stack(name="s", services=()), [job], site=Site(tools_image="tools:1")
    )
    (found,) = [one for one in objects if one["kind"] == "Job"]
    return dict(found)


def pod(job: Job = JOB) -> dict[str, Any]:
    return made(job)["spec"]["template"]["spec"]


def test_it_is_a_job_that_kubernetes_takes():
    kubernetes_validate.validate(made(), "1.36", strict=True)


def test_the_command_is_run_by_the_runner_word_for_word_and_nothing_in_it_is_replaced():
    (container,) = pod()["containers"]
    own = container["args"][container["args"].index("--") + 1 :]
    assert container["command"][0].endswith("/tini")
    assert own == ["sh", "-c", "yarn test $$(date)"]


def test_the_runner_is_told_reports_before_artifacts():
    args = pod()["containers"][0]["args"]
    assert args[3:11] == [
        "r", ".", "reports", r"reports/\([^/][^/]*/\)*[^/]*\.xml\(/.*\)\{0,1\}",
        "a", ".", "coverage", r"coverage\(/.*\)\{0,1\}",
    ]  # fmt: skip


def test_the_collector_is_a_sidecar_that_restricted_pod_security_lets_in():
    (collector,) = [c for c in pod()["initContainers"] if c["name"] == COLLECTOR]
    security = collector["securityContext"]
    assert (collector["restartPolicy"], collector["image"]) == ("Always", "tools:1")
    assert (security["runAsNonRoot"], security["allowPrivilegeEscalation"]) == (True, False)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert "env" not in collector


def test_the_tests_cannot_change_the_tools_nor_the_collector_what_they_wrote():
    made_pod = pod()
    mounts = {m["name"]: m for m in made_pod["containers"][0]["volumeMounts"]}
    of_collector = {m["name"]: m for m in made_pod["initContainers"][0]["volumeMounts"]}
    assert mounts["conductor-tools"]["readOnly"]
    assert of_collector["conductor-results"]["readOnly"]
    assert "conductor-scratch" not in mounts


def test_limits_of_time_stand_on_the_pod_and_leave_room_for_starting_and_collecting():
    spec = made()["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert pod()["activeDeadlineSeconds"] == 1800 + START_SECONDS
    assert pod()["terminationGracePeriodSeconds"] == 10 + PACKING_SECONDS + HOLD_SECONDS


def test_it_is_tried_once_and_its_record_is_kept_until_it_was_collected():
    spec = made()["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["metadata"]["finalizers"] == [FINALIZER]
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["FailJob"]


def test_a_suite_that_leaves_nothing_runs_as_it_is():
    bare = replace(JOB, reports=(), artifacts=())
    (container,) = pod(bare)["containers"]
    assert container["command"] == ["sh", "-c"]
    assert not [c for c in pod(bare).get("initContainers", []) if c["name"] == COLLECTOR]
    assert made(bare)["spec"]["template"]["metadata"]["finalizers"] == [FINALIZER]
