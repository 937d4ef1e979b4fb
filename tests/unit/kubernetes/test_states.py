"""What a cluster says of a workload, in Conductor's words: a table over objects of a real Kubernetes 1.36.

Each file of `objects/` is what an API server had of one service some time after it was applied, cut to what is read of it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.kubernetes.seeing.states import Snapshot, states
from conductor.adapters.kubernetes.seeing.troubles import REGISTRY_GRACE, ROOM_GRACE, VOLUME_GRACE
from conductor.domain.states import Health, Phase, WorkloadState
from conductor.domain.verdict import Fault, Reason

OBJECTS = Path(__file__).with_name("objects")
OURS, THEIRS = Fault.REPOSITORY, Fault.PLATFORM
PENDING, RUNNING, ENDED, SLEEPING = Phase.PENDING, Phase.RUNNING, Phase.ENDED, Phase.SLEEPING


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OBJECTS / f"{name}.json").read_text())
    return found


def read(found: dict[str, Any], *, now: datetime | None = None) -> WorkloadState:
    snapshot = Snapshot(**{key: value for key, value in found.items() if key != "now"})
    return states(snapshot, now or datetime.fromisoformat(found["now"]))["web"]


TABLE: dict[str, tuple[Phase, int | None, Reason | None, Fault | None, str]] = {
    "running": (RUNNING, None, None, None, ""),
    "succeeded": (ENDED, 0, None, None, ""),
    "failed": (ENDED, 3, None, None, ""),
    "crash-loop": (PENDING, 5, None, None, "its restart"),
    "on-failure": (ENDED, None, Reason.CRASHED, OURS, "backoff limit"),
    "out-of-memory": (ENDED, 137, Reason.OOM_KILLED, None, "the limit is 20 MiB"),
    "hook-failed": (PENDING, None, Reason.ERROR, OURS, "post_start"),
    "hook-failed-restarting": (PENDING, None, Reason.ERROR, OURS, "post_start"),
    "image-never": (PENDING, None, Reason.IMAGE_PULL, OURS, "nowhere:1 cannot be pulled"),
    "image-no-name": (PENDING, None, Reason.IMAGE_PULL, OURS, "is no name of an image"),
    "image-refused": (PENDING, None, None, None, "connection refused"),
    "image-unanswered": (PENDING, None, Reason.IMAGE_PULL, THEIRS, "no such host"),
    "no-program": (ENDED, 128, Reason.COMMAND_NOT_FOUND, OURS, "'/no/such/program' cannot be run"),
    "no-program-restarting": (
        PENDING,
        128,
        Reason.COMMAND_NOT_FOUND,
        OURS,
        "'/no/such/program' cannot be run",
    ),
    "not-executable": (ENDED, 128, Reason.COMMAND_NOT_FOUND, OURS, "'/etc/passwd' cannot be run"),
    "secret-missing": (PENDING, None, Reason.SECRET_MISSING, None, 'secret "web-secrets" not found'),
    "config-missing": (PENDING, None, Reason.CONFIGURATION, THEIRS, 'configmap "nope" not found'),
    "mount-missing": (PENDING, None, Reason.CONFIGURATION, THEIRS, 'configmap "nope" not found'),
    "unschedulable": (PENDING, None, Reason.UNSCHEDULABLE, THEIRS, "Insufficient cpu"),
    "quota": (PENDING, None, Reason.QUOTA, THEIRS, "exceeded quota"),
    "quota-deployment": (PENDING, None, Reason.QUOTA, THEIRS, "exceeded quota"),
    "volume-unbound": (PENDING, None, Reason.VOLUME, THEIRS, '"no-such-class" not found'),
    "evicted": (ENDED, 137, Reason.EVICTED, OURS, 'volume "v" exceeds the limit "2Mi"'),
    "suite-evicted": (ENDED, 137, Reason.EVICTED, OURS, 'volume "v" exceeds the limit "2Mi"'),
    "suite-taken-away": (ENDED, 137, Reason.EVICTED, THEIRS, "Eviction API: evicting"),
    "taken-away": (RUNNING, None, None, None, ""),
    "pod-deleted": (ENDED, None, Reason.GONE, THEIRS, ""),
    "deadline": (ENDED, 137, Reason.DEADLINE_EXCEEDED, None, "within its time limit"),
    "stopped": (ENDED, 137, None, None, ""),
    "asleep": (SLEEPING, None, None, None, ""),
    "asleep-deployment": (SLEEPING, None, None, None, ""),
    "healthy": (RUNNING, None, None, None, ""),
    "unhealthy-never-healthy": (RUNNING, None, None, None, "probe failed"),
    "unhealthy-after-health": (RUNNING, None, None, None, "probe failed"),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_a_real_cluster_said_is_read(name: str):
    state = read(recorded(name))
    *expected, words = TABLE[name]
    assert [state.phase, state.exit_code, state.reason, state.fault] == expected
    assert words in state.message


def test_every_recording_is_in_the_table():
    assert {file.stem for file in OBJECTS.glob("*.json")} == set(TABLE)


@pytest.mark.parametrize(
    ("name", "health"),
    [
        ("running", Health.NONE),
        ("healthy", Health.HEALTHY),
        ("unhealthy-never-healthy", Health.UNHEALTHY),
        ("unhealthy-after-health", Health.UNHEALTHY),
    ],
)
def test_health_is_what_the_check_says(name: str, health: Health):
    assert read(recorded(name)).health is health


def test_a_check_that_has_not_failed_often_enough_is_starting():
    found = recorded("unhealthy-never-healthy")
    early = datetime.fromisoformat(found["pods"][0]["status"]["startTime"]) + timedelta(seconds=1)
    assert read(found, now=early).health is Health.STARTING


def test_a_start_period_gives_time():
    found = recorded("unhealthy-never-healthy")
    found["pods"][0]["metadata"]["annotations"] = {"conductor.dev/start-period-seconds": "60"}
    assert read(found).health is Health.STARTING


def test_a_check_that_never_ran_has_not_failed():
    found = recorded("unhealthy-never-healthy") | {"events": []}
    assert read(found).health is Health.STARTING


def test_restarts_are_counted_and_the_last_ending_is_known():
    state = read(recorded("crash-loop"))
    assert (state.restarts, state.exit_code) == (2, 5)
    assert state.ended_at is not None


def test_what_was_never_started_has_no_start():
    assert read(recorded("no-program")).started_at is None


@pytest.mark.parametrize(
    ("name", "since", "grace"),
    [
        ("unschedulable", "scheduled", ROOM_GRACE),
        ("image-unanswered", "scheduled", REGISTRY_GRACE),
        ("volume-unbound", "event", VOLUME_GRACE),
    ],
)
def test_what_may_pass_by_itself_is_only_said_until_its_grace_is_over(
    name: str, since: str, grace: timedelta
):
    found = recorded(name)
    begun = _scheduled(found) if since == "scheduled" else _first_event(found)
    assert read(found, now=begun + grace - timedelta(seconds=2)).reason is None
    assert read(found, now=begun + grace + timedelta(seconds=2)).reason is not None


def _scheduled(found: dict[str, Any]) -> datetime:
    conditions = found["pods"][0]["status"]["conditions"]
    return datetime.fromisoformat(
        next(c["lastTransitionTime"] for c in conditions if c["type"] == "PodScheduled")
    )


def _first_event(found: dict[str, Any]) -> datetime:
    times = [event["firstTimestamp"] for event in found["events"] if event["reason"] == "ProvisioningFailed"]
    return datetime.fromisoformat(min(times))


def test_events_of_an_earlier_pod_of_the_same_name_are_not_about_this_one():
    found = recorded("mount-missing")
    for event in found["events"]:
        event["involvedObject"]["uid"] = "another"
    assert read(found).reason is None


def test_a_pod_that_the_cluster_took_from_a_service_is_made_again():
    found = recorded("suite-taken-away")
    found["keepers"][0]["spec"]["podFailurePolicy"] = {
        "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    }
    found["keepers"][0]["status"] = {}
    state = read(found)
    assert (state.phase, state.reason) == (PENDING, None)
    assert "taken away" in state.message


def test_a_node_that_does_not_answer_ends_what_ran_on_it():
    found = recorded("running")
    (pod,) = found["pods"]
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition["status"] = "False"
    about = {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    found["events"] = [
        {
            "reason": "NodeNotReady",
            "message": "Node is not ready",
            "involvedObject": about,
            "metadata": {"creationTimestamp": found["now"]},
        }
    ]
    state = read(found)
    assert (state.phase, state.reason, state.fault) == (ENDED, Reason.GONE, THEIRS)


def test_a_pod_that_somebody_deletes_while_it_runs_is_gone():
    found = recorded("stopped")
    del found["keepers"][0]["metadata"]["annotations"]["conductor.dev/stopped"]
    (pod,) = found["pods"]
    pod["status"].pop("reason", None)
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
    pod["metadata"] |= {"deletionTimestamp": ended, "deletionGracePeriodSeconds": 1}
    state = read(found)
    assert (state.phase, state.reason) == (ENDED, Reason.GONE)


def test_of_several_replicas_the_worst_is_told():
    found = recorded("running")
    worse = recorded("failed")["pods"][0]
    found["keepers"][0]["spec"] |= {"parallelism": 2}
    found["pods"].append(worse)
    assert (read(found).phase, read(found).exit_code) == (ENDED, 3)


def test_a_service_bears_the_name_of_its_file():
    found = recorded("running")
    found["keepers"][0]["metadata"]["annotations"]["conductor.dev/service"] = "My_Web"
    snapshot = Snapshot(keepers=found["keepers"], pods=found["pods"])
    assert list(states(snapshot, datetime.fromisoformat(found["now"]))) == ["My_Web"]


def test_what_is_not_conductors_is_not_seen():
    found = recorded("running")
    found["keepers"][0]["metadata"]["labels"] = {}
    assert states(Snapshot(keepers=found["keepers"]), datetime.fromisoformat(found["now"])) == {}
