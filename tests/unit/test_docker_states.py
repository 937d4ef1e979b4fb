"""From inspections to states: one row for each thing that was seen to happen."""

from __future__ import annotations

from typing import Any

import pytest

from conductor.adapters.docker.containers.healthcheck import LABEL_HEALTHCHECK
from conductor.adapters.docker.diagnosis import facts_of
from conductor.adapters.docker.marks import Failure, Note
from conductor.adapters.docker.watching.states import (
    Beside,
    moment,
    pull_failure,
    start_failure,
    workload_state,
)
from conductor.domain.states import Health, Phase
from conductor.domain.verdict import Fault, Reason

NEVER = "0001-01-01T00:00:00Z"
BEGAN, ENDED = "2026-11-23T13:18:08.33871204Z", "2026-11-23T13:18:12.5Z"
NOTE = Note(workload="web", created=True)


def container(
    status: str,
    *,
    code: int = 0,
    policy: str = "no",
    attempts: int = 0,
    restarts: int = 0,
    memory: int = 0,
    oom: bool = False,
    checked: bool = False,
    number: int = 1,
) -> dict[str, Any]:
    over = status in ("exited", "stopped", "dead")
    return {
        "Id": f"id{number}",
        "RestartCount": restarts,
        "State": {
            "Status": status,
            "Running": status == "running",
            "ExitCode": code,
            "OOMKilled": oom,
            "Error": "",
            "StartedAt": NEVER if status in ("created", "configured") else BEGAN,
            "FinishedAt": ENDED if over else NEVER,
        },
        "HostConfig": {"Memory": memory, "RestartPolicy": {"Name": policy, "MaximumRetryCount": attempts}},
        "Config": {"Labels": {LABEL_HEALTHCHECK: "{}"} if checked else {}},
    }


MIB32 = 32 * 2**20


@pytest.mark.parametrize(
    ("inspection", "note", "beside", "expected"),
    [
        pytest.param(
            container("running"), NOTE, Beside(), (Phase.RUNNING, Health.NONE, None, None), id="runs"
        ),
        pytest.param(
            container("created"), NOTE, Beside(), (Phase.PENDING, Health.NONE, None, None), id="only made"
        ),
        pytest.param(
            container("configured"),
            NOTE,
            Beside(),
            (Phase.PENDING, Health.NONE, None, None),
            id="only made (Podman)",
        ),
        pytest.param(
            container("exited"), NOTE, Beside(), (Phase.ENDED, Health.NONE, 0, None), id="ended well"
        ),
        pytest.param(
            container("exited", code=3), NOTE, Beside(), (Phase.ENDED, Health.NONE, 3, None), id="ended badly"
        ),
        pytest.param(
            container("stopped", code=3),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 3, None),
            id="ended, not cleaned up (Podman)",
        ),
        pytest.param(
            container("exited", code=127),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 127, Reason.COMMAND_NOT_FOUND),
            id="127",
        ),
        pytest.param(
            container("exited", code=126),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 126, Reason.COMMAND_NOT_FOUND),
            id="126",
        ),
        pytest.param(
            container("exited", code=137, oom=True),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 137, Reason.OOM_KILLED),
            id="Docker says memory",
        ),
        pytest.param(
            container("exited", code=1, memory=MIB32),
            NOTE,
            Beside(out_of_memory=True),
            (Phase.ENDED, Health.NONE, 1, Reason.OOM_KILLED),
            id="the kernel says memory",
        ),
        pytest.param(
            container("exited", code=137, memory=MIB32),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 137, Reason.OOM_KILLED),
            id="nobody can say, and it looks like it",
        ),
        pytest.param(
            container("exited", code=137, memory=MIB32),
            NOTE,
            Beside(out_of_memory=False),
            (Phase.ENDED, Health.NONE, 137, None),
            id="the kernel says it was not memory",
        ),
        pytest.param(
            container("exited", code=137, memory=MIB32),
            Note(workload="web", stopped=True),
            Beside(),
            (Phase.ENDED, Health.NONE, 137, None),
            id="we killed it",
        ),
        pytest.param(
            container("exited", code=0, memory=MIB32),
            NOTE,
            Beside(out_of_memory=True),
            (Phase.ENDED, Health.NONE, 0, None),
            id="ended well in spite of it",
        ),
        pytest.param(
            container("exited", code=143),
            Note(workload="web", asleep=True),
            Beside(),
            (Phase.SLEEPING, Health.NONE, 143, None),
            id="sleeps",
        ),
        pytest.param(
            container("exited", code=5, policy="always", restarts=2),
            NOTE,
            Beside(),
            (Phase.PENDING, Health.NONE, 5, None),
            id="between two lives",
        ),
        pytest.param(
            container("running", policy="always", restarts=2),
            NOTE,
            Beside(last_exit=5),
            (Phase.RUNNING, Health.NONE, 5, None),
            id="lives again",
        ),
        pytest.param(
            container("exited", code=5, policy="on-failure"),
            NOTE,
            Beside(),
            (Phase.PENDING, Health.NONE, 5, None),
            id="will be tried again",
        ),
        pytest.param(
            container("exited", code=5, policy="on-failure", attempts=2, restarts=2),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 5, None),
            id="was tried often enough",
        ),
        pytest.param(
            container("exited", code=0, policy="on-failure"),
            NOTE,
            Beside(),
            (Phase.ENDED, Health.NONE, 0, None),
            id="on-failure and it went well",
        ),
        pytest.param(
            container("exited", code=0, policy="always"),
            Note(workload="web", stopped=True),
            Beside(),
            (Phase.ENDED, Health.NONE, 0, None),
            id="always, and stopped by us",
        ),
        pytest.param(
            container("running", checked=True),
            NOTE,
            Beside(),
            (Phase.RUNNING, Health.STARTING, None, None),
            id="not asked yet",
        ),
        pytest.param(
            container("running", checked=True),
            NOTE,
            Beside(health=Health.UNHEALTHY),
            (Phase.RUNNING, Health.UNHEALTHY, None, None),
            id="unhealthy",
        ),
        pytest.param(
            container("exited", checked=True),
            NOTE,
            Beside(health=Health.HEALTHY),
            (Phase.ENDED, Health.NONE, 0, None),
            id="health is for what runs",
        ),
    ],
)
def test_what_was_seen_is_a_state(
    inspection: dict[str, Any], note: Note, beside: Beside, expected: tuple[object, ...]
):
    state = workload_state("web", [inspection], {"id1": beside}, note)
    assert (state.phase, state.health, state.exit_code, state.reason) == expected


def test_a_failure_that_was_noted_is_the_state_until_it_is_applied_again():
    failure = Failure(reason=Reason.IMAGE_PULL, fault=Fault.PLATFORM, message="no answer")
    state = workload_state("web", [], {}, Note(workload="web", failure=failure))
    assert (state.phase, state.reason, state.fault, state.message) == (
        Phase.PENDING,
        Reason.IMAGE_PULL,
        Fault.PLATFORM,
        "no answer",
    )


def test_a_program_that_was_not_there_has_ended_with_127():
    failure = Failure(reason=Reason.COMMAND_NOT_FOUND, fault=Fault.REPOSITORY, message="no")
    state = workload_state("web", [], {}, Note(workload="web", failure=failure))
    assert (state.phase, state.exit_code) == (Phase.ENDED, 127)


def test_what_was_made_and_is_not_there_any_more_is_gone():
    state = workload_state("web", [], {}, NOTE)
    assert (state.phase, state.reason, state.fault) == (Phase.ENDED, Reason.GONE, Fault.PLATFORM)


def test_the_replica_that_is_worst_off_speaks_for_all():
    containers = [container("running", number=1), container("exited", code=3, number=2)]
    assert workload_state("web", containers, {}, NOTE).exit_code == 3


@pytest.mark.parametrize(
    ("text", "reason", "fault"),
    [
        (
            'runc: exec: "/nope": OCI runtime attempted to invoke a command that was not found',
            Reason.COMMAND_NOT_FOUND,
            Fault.REPOSITORY,
        ),
        (
            "executable file `nope` not found in $PATH: OCI runtime attempted to invoke a command that was not found",
            Reason.COMMAND_NOT_FOUND,
            Fault.REPOSITORY,
        ),
        (
            'failed to create task for container: exec: "nope": executable file not found in $PATH: unknown',
            Reason.COMMAND_NOT_FOUND,
            Fault.REPOSITORY,
        ),
        (
            'runc: exec: "/etc/passwd": permission denied: OCI permission denied',
            Reason.COMMAND_NOT_FOUND,
            Fault.REPOSITORY,
        ),
        (
            "cannot listen on the TCP port: listen tcp4 127.0.0.1:22222: bind: address already in use",
            Reason.PORT_IN_USE,
            Fault.REPOSITORY,
        ),
        (
            "driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated",
            Reason.PORT_IN_USE,
            Fault.REPOSITORY,
        ),
        ("mkdir /var/lib/containers/x: no space left on device", Reason.DISK_FULL, Fault.PLATFORM),
        ("invalid CapAdd: unknown capability: CAP_NOPE", Reason.CONFIGURATION, Fault.REPOSITORY),
        (
            "error setting rlimit type 6: operation not permitted: OCI permission denied",
            Reason.ERROR,
            Fault.PLATFORM,
        ),
        ("something else", Reason.ERROR, Fault.PLATFORM),
    ],
)
def test_what_the_engine_says_at_the_start_has_a_reason_and_a_fault(text: str, reason: Reason, fault: Fault):
    failure = start_failure(text)
    assert (failure.reason, failure.fault) == (reason, fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("manifest for redis:99 not found: manifest unknown", Fault.REPOSITORY),
        (
            "pull access denied for acme/x, repository does not exist or may require 'docker login'",
            Fault.REPOSITORY,
        ),
        (
            "reading manifest 99 in docker.io/library/redis: unauthorized: authentication required",
            Fault.REPOSITORY,
        ),
        (
            "pinging container registry registry-1.docker.io: dial tcp: lookup registry-1.docker.io: no such host",
            Fault.PLATFORM,
        ),
        ("toomanyrequests: You have reached your pull rate limit", Fault.PLATFORM),
        ("received unexpected HTTP status: 503 Service Unavailable", Fault.PLATFORM),
        ("timeout exceeded: it took longer than 0:15:00", Fault.PLATFORM),
    ],
)
def test_a_registry_that_says_no_is_the_repository_s_fault_and_one_that_is_silent_is_not(
    text: str, fault: Fault
):
    failure = pull_failure("redis:99", text)
    assert (failure.reason, failure.fault) == (Reason.IMAGE_PULL, fault)
    assert "redis:99" in failure.message


@pytest.mark.parametrize("text", [None, "", NEVER])
def test_never_is_no_time(text: str | None):
    assert moment(text) is None


def test_an_engine_says_what_it_is():
    podman = facts_of(
        {"SecurityOptions": ["name=rootless"]},
        podman=True,
        address="unix:///x",
    )
    assert (podman.podman, podman.local, podman.networks_reachable) == (True, True, False)
    docker = facts_of({"SecurityOptions": ["name=selinux"]}, podman=False, address="tcp://far:2375")
    assert (docker.podman, docker.local, docker.selinux, docker.init) == (False, False, True, True)
