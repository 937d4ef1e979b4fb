"""Hooks, and stopping by a signal of the file's choice."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubernetes.made import container, helpers, pod, refused

from conductor.domain.stack import Hook, SecretText, Service

A = Service(name="a", image="x")


def told(service: Service, moment: str) -> list[str]:
    command: Any = container(service)["lifecycle"][moment]["exec"]["command"]
    assert command[:3] == ["/.conductor/bin/busybox", "sh", "-c"]
    return str(command[3]).splitlines()


def test_a_stop_signal_is_sent_from_within_and_the_programs_end_is_awaited():
    service = replace(A, stop_signal="SIGQUIT")
    assert told(service, "preStop") == [
        "set -e",
        "main=1",
        '"$0" kill -QUIT "$main"; while "$0" kill -0 "$main" 2> /dev/null; do "$0" sleep 0.1; done',
    ]
    assert "postStart" not in container(service)["lifecycle"]
    ((name, helper),) = helpers(service).items()
    assert (name, helper["securityContext"]["runAsNonRoot"]) == ("conductor-prepare", True)
    assert helper["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "tools", "mountPath": "/.conductor/bin", "readOnly": True} in container(service)[
        "volumeMounts"
    ]


def test_beside_an_init_the_programs_own_process_is_looked_for():
    lines = told(replace(A, stop_signal="SIGINT", init=True), "preStop")
    assert "/proc/self/cgroup" in lines[1]


def test_hooks_run_in_their_order_each_with_its_own_folder_and_variables():
    hooks = (
        Hook(command=("sh", "-c", "echo $A"), environment={"A": "it's"}, working_dir="/w d"),
        Hook(command=("true",)),
    )
    service = replace(A, post_start=hooks, pre_stop=hooks[1:], stop_signal="SIGINT")
    assert told(service, "postStart") == [
        "set -e",
        "(cd '/w d' && export A='it'\"'\"'s' && sh -c 'echo $A')",
        "(true)",
    ]
    assert told(service, "preStop")[:3] == ["set -e", "(true) || wrong=$?", "main=1"]
    assert refused(service) == []


@pytest.mark.parametrize(("first", "left", "code"), [("true", ["ran"], 0), ("exit 4", [], 4)])
def test_the_stop_signal_is_sent_also_where_a_hook_before_it_fails(
    first: str, left: list[str], code: int, tmp_path: Path
):
    hooks = (Hook(command=("sh", "-c", first)), Hook(command=("touch", str(tmp_path / "ran"))))
    *lines, stop, end = told(replace(A, pre_stop=hooks, stop_signal="SIGUSR1"), "preStop")
    main = ["sh", "-c", "trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done"]
    with subprocess.Popen(main, stdout=subprocess.PIPE) as program:
        assert program.stdout
        program.stdout.readline()
        script = "\n".join([*lines, f"main={program.pid}", stop.partition(";")[0], end])
        stopped = subprocess.run(["sh", "-c", script, "env"], timeout=20, check=False)
        assert program.wait(20) == 7
    assert ([file.name for file in tmp_path.iterdir()], stopped.returncode) == (left, code)


def test_a_service_without_any_has_no_tools_in_it():
    made = pod(A)
    assert ("lifecycle" in made["containers"][0], "volumes" in made, "initContainers" in made) == (False,) * 3


def test_what_a_hook_cannot_have_is_refused():
    hook = Hook(command=("x",), user="root", environment={"S": SecretText(parts=("", "K", ""))})
    assert refused(replace(A, post_start=(hook,), pre_stop=(replace(hook, user=None),))) == [
        "services.a.post_start[0].user",
        "services.a.post_start[0].environment",
        "services.a.pre_stop[0].environment",
    ]
    assert refused(replace(A, stop_signal="RTMIN 1")) == ["services.a.stop_signal"]
