"""What Kaniko's output and endings mean: texts as v1.28.3 wrote them on a real cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from conductor.adapters.kubernetes.kaniko.endings import Ending, Recipe, error_of, is_cut_off
from conductor.adapters.kubernetes.kaniko.output import Output
from conductor.domain.stack import Build
from conductor.domain.verdict import Fault, Reason

DOCKERFILE = """\
FROM node:22-alpine AS base
# a comment
COPY missing.txt \\
  /there
RUN echo two && \\
    echo oops >&2; exit 42
FROM nowhere/nothing:9
"""
STEP = 'level=info msg="RUN echo two &&     echo oops >&2; exit 42"'
RUNNING = (
    STEP,
    'level=info msg="Cmd: /bin/sh"',
    'level=info msg="Args: [-c echo two &&     echo oops >&2; exit 42]"',
    'level=info msg="Running: [/bin/sh -c echo two &&     echo oops >&2; exit 42]"',
    "two",
    "oops",
)
BUILDING = "error building image: error building stage: "
SOURCE = "Error: error resolving source context: "
PERMISSION = 'error checking push permissions: checking push permission for "192.0.2.2:5001/x:1": '
USAGE = ("Usage:", "  executor [flags]", "  executor [command]", "", "Flags:", "  --cache   use it")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was written, and what people are told."""

    lines: tuple[str, ...]
    code: int = 1
    reason: Reason = Reason.BUILD_FAILED
    fault: Fault = Fault.REPOSITORY
    says: str
    remedy: str = ""
    ended: str = ""
    build: Build = field(default_factory=Build)
    remote: str = ""
    pushing: bool = False


CASES = {
    "a command that fails": Case(
        lines=(
            *RUNNING,
            f"{BUILDING}failed to execute command: waiting for process to exit: exit status 42",
        ),
        code=42,
        says="Dockerfile:5: RUN echo two && echo oops >&2; exit 42 failed with exit code 42\n    two\n    oops",
    ),
    "a command that is killed": Case(
        lines=(*RUNNING, f"{BUILDING}failed to execute command: waiting for process to exit: signal: killed"),
        code=255,
        says="Dockerfile:5: RUN echo two && echo oops >&2; exit 42 was killed: perhaps for lack of memory",
        remedy="CONDUCTOR_BUILD_LIMITS",
    ),
    "a command that a shell says was killed": Case(
        lines=(
            *RUNNING,
            f"{BUILDING}failed to execute command: waiting for process to exit: exit status 137",
        ),
        code=137,
        says="exit code 137 (it was killed: perhaps for lack of memory)",
    ),
    "no memory": Case(
        lines=(
            *RUNNING,
            f"{BUILDING}failed to execute command: waiting for process to exit: exit status 137",
        ),
        code=137,
        ended="OOMKilled",
        says="Dockerfile:5: RUN echo two && echo oops >&2; exit 42: the build used more memory than it may",
        remedy="CONDUCTOR_BUILD_LIMITS",
    ),
    "no time": Case(
        lines=RUNNING,
        code=137,
        ended="DeadlineExceeded",
        says="the build did not end within its time limit of 90 s",
        remedy="CONDUCTOR_BUILD_TIME_LIMIT",
    ),
    "no shell": Case(
        lines=(
            STEP,
            f"{BUILDING}failed to execute command: starting command: fork/exec /bin/sh: no such file or directory",
        ),
        says="cannot be run: the image has no /bin/sh",
    ),
    "a word that is no instruction": Case(
        lines=(
            "error building image: parsing dockerfile: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)",
        ),
        says="Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)",
    ),
    "a file that is not there": Case(
        lines=(
            (
                f"{BUILDING}failed to get files used from context: failed to get fileinfo for /kaniko/buildcontext/missing.txt: "
                "lstat /kaniko/buildcontext/missing.txt: no such file or directory"
            ),
        ),
        says="Dockerfile:3: COPY missing.txt /there: the build context has no missing.txt",
    ),
    "a file that is not there in a folder of the repository": Case(
        lines=(
            (
                f"{BUILDING}failed to get files used from context: failed to get fileinfo for "
                "/kaniko/buildcontext/web/missing.txt: lstat /kaniko/buildcontext/web/missing.txt: no such file or directory"
            ),
        ),
        build=Build(context="web", dockerfile="web/Dockerfile"),
        remote="https://git.example.org/a/b.git",
        says="web/Dockerfile:3: COPY missing.txt /there: the build context has no missing.txt",
    ),
    "a stage that is not there": Case(
        lines=('error building image: error finding target stage: "zz" is not a valid target build stage',),
        says='Dockerfile: "zz" is not a valid target build stage',
    ),
    "a base image that is not there": Case(
        lines=(
            'level=warning msg="Failed to retrieve image 192.0.2.2:5001/nowhere/nothing:9: MANIFEST_UNKNOWN: manifest unknown"',
            "error building image: image not found on any configured mapped registries for nowhere/nothing:9",
        ),
        reason=Reason.IMAGE_PULL,
        says="Dockerfile:7: FROM nowhere/nothing:9: the base image nowhere/nothing:9 cannot be pulled: there is no such image",
    ),
    "a base image that is refused": Case(
        lines=(
            'level=warning msg="Failed to retrieve image node:22-alpine from 192.0.2.2:5001: UNAUTHORIZED: authentication required"',
            "error building image: image not found on any configured mapped registries for node:22-alpine",
        ),
        reason=Reason.IMAGE_PULL,
        fault=Fault.PLATFORM,
        says="Dockerfile:1: FROM node:22-alpine AS base: the base image node:22-alpine cannot be pulled",
        remedy="CONDUCTOR_BUILD_PULLS_FILE",
    ),
    "a base image of a registry that is away": Case(
        lines=(
            'level=info msg="Retrieving image manifest nowhere/nothing:9"',
            'level=info msg="Retrieving image nowhere/nothing:9 from registry index.docker.io"',
            (
                "error building image: unable to complete operation after 2 attempts, last error: "
                'Get "https://index.docker.io/v2/": dial tcp: lookup index.docker.io: no such host'
            ),
        ),
        reason=Reason.IMAGE_PULL,
        fault=Fault.PLATFORM,
        says="Dockerfile:7: FROM nowhere/nothing:9: the base image nowhere/nothing:9 cannot be pulled: the registry cannot be reached",
        remedy="CONDUCTOR_BUILD_EGRESS",
    ),
    "a base image that a registry of its own does not have": Case(
        lines=(
            'level=info msg="Retrieving image manifest nowhere/nothing:9"',
            (
                "error building image: unable to complete operation after 2 attempts, last error: "
                "GET http://192.0.2.2:5002/v2/nowhere/nothing/manifests/9: MANIFEST_UNKNOWN: manifest unknown"
            ),
        ),
        reason=Reason.IMAGE_PULL,
        says="cannot be pulled: there is no such image",
    ),
    "a password that is wrong": Case(
        lines=(f"{PERMISSION}POST http://x/v2/: UNAUTHORIZED: authentication required; [map[]]",),
        fault=Fault.PLATFORM,
        says="the registry does not let the image be pushed",
        remedy="CONDUCTOR_REGISTRY_USER",
    ),
    "a registry that is away": Case(
        lines=(
            (
                f'{PERMISSION}creating push check transport for 192.0.2.2:5001 failed: Get "https://192.0.2.2:5001/v2/": '
                "dial tcp 192.0.2.2:5001: connect: connection refused"
            ),
        ),
        fault=Fault.PLATFORM,
        says="the image cannot be pushed",
        remedy="CONDUCTOR_BUILD_EGRESS",
    ),
    "a registry without TLS": Case(
        lines=(f"{PERMISSION}http: server gave HTTP response to HTTPS client",),
        fault=Fault.PLATFORM,
        says="the image cannot be pushed",
        remedy="CONDUCTOR_BUILD_INSECURE",
    ),
    "a certificate of nobody": Case(
        lines=(
            f"{PERMISSION}tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        fault=Fault.PLATFORM,
        says="the image cannot be pushed",
        remedy="CONDUCTOR_BUILD_CA_FILE",
    ),
    "a second container that may not push": Case(
        lines=("error pushing image: POST http://x/v2/: DENIED: requested access to the resource is denied",),
        pushing=True,
        fault=Fault.PLATFORM,
        says="the registry does not let the image be pushed",
    ),
    "a Dockerfile that is not there": Case(
        lines=(
            "Error: error resolving dockerfile path: please provide a valid path to a Dockerfile within the build context",
            *USAGE,
        ),
        says="there is no Dockerfile at Dockerfile",
    ),
    "a context that is not there": Case(
        lines=(f"{SOURCE}stat /kaniko/buildcontext/big: no such file or directory", *USAGE),
        build=Build(context="big"),
        says="the build context big is no folder of the repository",
    ),
    "git's password is wrong": Case(
        lines=(f"{SOURCE}authentication required: Unauthorized", *USAGE),
        reason=Reason.CLONE_FAILED,
        fault=Fault.PLATFORM,
        remote="https://git.example.org/a/b.git",
        says="the cluster cannot fetch the commit from git.example.org: authentication required",
        remedy="CONDUCTOR_BUILD_GIT_TOKEN",
    ),
    "a repository that is not there": Case(
        lines=(f"{SOURCE}repository not found: Repository not found.", *USAGE),
        reason=Reason.CLONE_FAILED,
        fault=Fault.PLATFORM,
        says="repository not found",
    ),
    "a commit that was never pushed": Case(
        lines=(
            f"{SOURCE}error decoding upload-pack response: upload-pack: not our ref 0123456789",
            *USAGE,
        ),
        reason=Reason.CLONE_FAILED,
        says="not our ref 0123456789",
        remedy="Push the commit",
    ),
    "an older Kaniko": Case(
        lines=("Error: unknown flag: --nosuchflag", *USAGE),
        fault=Fault.PLATFORM,
        says="unknown flag: --nosuchflag",
        remedy="CONDUCTOR_KANIKO_IMAGE",
    ),
    "a node without room": Case(
        lines=(f"{BUILDING}failed to write: write /x: no space left on device",),
        reason=Reason.DISK_FULL,
        fault=Fault.PLATFORM,
        says="no room",
    ),
    "something else": Case(
        lines=("two", "error building image: a thing that nobody has seen"),
        says="Dockerfile: the build failed: a thing that nobody has seen\n    two",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_ending_is_told_with_its_place_its_fault_and_what_to_do(case: Case):
    output = Output()
    for line in case.lines:
        output.take(line)
    error = error_of(_ending(output, case), _recipe(case))
    assert (error.reason, error.fault) == (case.reason, case.fault), error.message
    assert case.says in error.message
    assert case.remedy in error.remedy
    assert error.remedy
    assert error.subject == "web"
    assert "executor [flags]" not in error.message


@pytest.mark.parametrize("said", ["gzip: invalid header", "unexpected EOF"])
def test_a_context_that_did_not_arrive_whole_is_no_fault_of_anybody_s(said: str):
    assert is_cut_off(Ending(exit_code=1, trouble=f"{SOURCE}{said}"))
    assert not is_cut_off(Ending(exit_code=1, trouble=f"{SOURCE}repository not found"))
    assert not is_cut_off(Ending(exit_code=1, trouble=f"{BUILDING}the command says: {said}"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Compressing objects:  13% (4/30)", None),
        ("remote: Counting objects: 100% (3/3), done.", None),
        ('level=info msg="Cmd: /bin/sh"', None),
        ('level=info msg="Taking snapshot of full filesystem..."', "Taking snapshot of full filesystem..."),
        ('level=warning msg="a \\"b\\""', 'warning: a "b"'),
        ("\x1b[36mINFO\x1b[0m[0000] Pushed x/y@sha256:00", "Pushed x/y@sha256:00"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("10%\r50%\r100%", "100%"),
        ("level of the sea: 3", "level of the sea: 3"),
        ("", ""),
    ],
)
def test_people_see_what_is_told_and_no_noise(line: str, shown: str | None):
    assert Output().take(line) == shown


def test_the_last_lines_are_those_of_the_step_that_failed():
    output = Output()
    for line in ('level=info msg="RUN make"', "made", STEP, *RUNNING[1:]):
        output.take(line)
    assert output.step == "RUN echo two &&     echo oops >&2; exit 42"
    assert list(output.last) == ["two", "oops"]


def _ending(output: Output, case: Case) -> Ending:
    return Ending(
        exit_code=case.code,
        reason=case.ended,
        step=output.step,
        base=output.base,
        trouble=output.trouble,
        last=tuple(output.last),
        warnings=tuple(output.warnings),
        pushing=case.pushing,
    )


def _recipe(case: Case) -> Recipe:
    return Recipe(
        name="web",
        build=case.build,
        dockerfile=DOCKERFILE,
        time_limit=timedelta(seconds=90),
        remote=case.remote,
    )
