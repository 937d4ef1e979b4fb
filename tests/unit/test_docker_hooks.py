"""Commands after a start and before a stop, as they stand on a container: in their order, with their ways, and without a secret."""

import json
from typing import Any

import pytest
from tests.unit.test_docker_shared import told
from tests.unit.test_docker_states import container

from conductor.adapters.docker.containers.hooks import (
    LABEL_POST_START,
    LABEL_PRE_STOP,
    hook_labels,
    needs_secrets,
)
from conductor.adapters.docker.marks import Failure, Note
from conductor.adapters.docker.watching.states import Beside, workload_state
from conductor.domain.stack import Hook, SecretText
from conductor.domain.states import Phase
from conductor.domain.verdict import Fault, Reason

WARM = Hook(command=("warm", "two words"))
AS_CLERK = Hook(command=("fill",), user="clerk", environment={"A": "b"}, working_dir="/data")
URL = SecretText(parts=("x://", "TOKEN", "@db"))


def test_a_container_bears_its_commands_in_their_order_with_what_each_asks_for():
    labels = told(post_start=(WARM, AS_CLERK), pre_stop=(WARM,))["Labels"]
    assert json.loads(labels[LABEL_POST_START]) == [
        {"command": ["warm", "two words"]},
        {"command": ["fill"], "user": "clerk", "environment": {"A": "b"}, "working_dir": "/data"},
    ]
    assert json.loads(labels[LABEL_PRE_STOP]) == [{"command": ["warm", "two words"]}]


def test_a_container_without_commands_bears_none():
    assert not {LABEL_POST_START, LABEL_PRE_STOP} & set(told()["Labels"])


def test_a_secret_of_a_command_is_written_by_its_name():
    hook = Hook(command=("fill",), environment={"URL": URL})
    assert needs_secrets(hook)
    assert not needs_secrets(AS_CLERK)
    (written,) = json.loads(hook_labels((hook,), ())[LABEL_POST_START])
    assert written["environment"] == {"URL": "x://${TOKEN}@db"}


def hooked(status: str, *, code: int = 0) -> dict[str, Any]:
    made = container(status, code=code)
    return {**made, "Config": {"Labels": dict(hook_labels((WARM,), ()))}}


@pytest.mark.parametrize(
    ("status", "note", "phase", "message"),
    [
        ("running", Note(workload="web", created=True), Phase.PENDING, "its commands after the start"),
        ("running", Note(workload="web", hooked=True), Phase.RUNNING, ""),
        ("created", Note(workload="web", created=True), Phase.PENDING, "its start"),
        ("exited", Note(workload="web", created=True), Phase.ENDED, ""),
    ],
)
def test_a_service_has_started_when_its_commands_are_done(
    status: str, note: Note, phase: Phase, message: str
):
    state = workload_state("web", [hooked(status)], {"id1": Beside()}, note)
    assert (state.phase, state.message) == (phase, message)


def test_a_command_that_failed_is_why_the_service_has():
    failure = Failure(reason=Reason.ERROR, fault=Fault.REPOSITORY, message="post_start: `warm` exited with 4")
    state = workload_state("web", [hooked("running")], {}, Note(workload="web", failure=failure))
    assert (state.reason, state.fault, state.message) == (Reason.ERROR, Fault.REPOSITORY, failure.message)
