"""Every example, through the command line in real containers, ends with what its expected.yaml says, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor.adapters.docker.connection.client import connect
from conductor.domain.names import LABEL_RUN

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(file.parent.name for file in (ROOT / "examples").glob("*/expected.yaml"))
LIMIT_SECONDS = 200
EXIT_CODES = {"passed": 0, "failed": 1, "broken": 3}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run that has ended: its outcome, and the exit code of the command."""

    exit_code: int
    outcome: Mapping[str, Any]
    stderr: str

    @property
    def run(self) -> str:
        return str(self.outcome["run"])


class Conductor:
    """The command line over a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {**os.environ, "CONDUCTOR_STATE": str(state)}
        self.environment.pop("PAYMENT_KEY_QA", None)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conductor.cli.main", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )

    def run(self, *arguments: str) -> Ended:
        done = self("run", *arguments, "--json")
        lines = done.stdout.splitlines()
        told = f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert lines, told
        assert lines[-1].startswith("{"), told
        outcome = json.loads(lines[-1])
        assert outcome["kind"] == "outcome", told
        return Ended(exit_code=done.returncode, outcome=outcome, stderr=done.stderr)

    def images(self) -> set[str]:
        """Return the digests in the latest report."""
        report = json.loads(self("runs", "report", "--json").stdout)
        return {image["digest"] for image in report["images"]}

    def logs(self, run: str) -> str:
        return self("runs", "logs", run).stdout


@pytest.fixture(scope="module")
def conductor(tmp_path_factory: pytest.TempPathFactory) -> Conductor:
    made = Conductor(tmp_path_factory.mktemp("examples") / "state")
    images = subprocess.run(
        [sys.executable, ROOT / "scripts/standins.py"],
        env=made.environment,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert images.returncode == 0, images.stdout + images.stderr
    return made


def repository(example: str, folder: Path) -> Path:
    """Copy an example, symlinks as they are, and make it a git repository."""
    made = folder / example
    shutil.copytree(ROOT / "examples" / example, made, symlinks=True)
    git(made, "init", "--quiet", "--initial-branch=main")
    git(made, "add", "--all")
    identity = (
        "-c",
        "user.name=Example",
        "-c",
        "user.email=example@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    git(made, *identity, "commit", "--quiet", "--message", "An example")
    return made


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


def left_behind(state: Path, run: str) -> Sequence[str]:
    """Ask the engine itself for whatever carries the run's label, images aside: they are the cache."""
    return asyncio.run(_left_behind(state, {"label": [f"{LABEL_RUN}={run}"]}))


async def _left_behind(state: Path, filters: Mapping[str, Sequence[str]]) -> Sequence[str]:
    client = await connect(state_folder=state)
    try:
        containers = await client.containers.list(all=True, filters=filters)
        networks = await client.networks.list(filters=filters)
        volumes = await client.volumes.list(filters=filters)
    finally:
        await client.close()
    return [
        *(f"container {container.id}" for container in containers),
        *(f"network {network['Name']}" for network in networks),
        *(f"volume {volume['Name']}" for volume in volumes.get("Volumes") or ()),
    ]


def expectation(example: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((ROOT / "examples" / example / "expected.yaml").read_text())
    return found


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def counts_of(outcome: Mapping[str, Any]) -> Mapping[str, int]:
    suites = [suite["counts"] for suite in outcome["suites"]]
    return {key: sum(counts[key] for counts in suites) for key in ("passed", "failed", "errors", "skipped")}


def given_secrets(names: Sequence[str], folder: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Write an env file with fresh values; return the options that name it, and the values."""
    values = [f"value-{secrets.token_hex(12)}" for _ in names]
    file = folder / "secrets.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in zip(names, values, strict=True)))
    return (["--env-file", str(file)], values) if names else ([], [])


def files_with(folder: Path, text: str) -> Sequence[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_ends_as_it_says_and_leaves_nothing_behind(
    example: str, conductor: Conductor, tmp_path: Path
):
    expected = expectation(example)
    options, values = given_secrets(expected.get("secrets", ()), tmp_path)

    ended = conductor.run(str(repository(example, tmp_path)), "--cleanup", "always", *options)

    for key in ("verdict", "reason", "fault", "subject"):
        if key in expected:
            assert ended.outcome[key] in as_list(expected[key]), ended.outcome
    for text in as_list(expected.get("says", [])):
        assert text in ended.outcome["message"]
    assert ended.exit_code == expected.get("exit_code", EXIT_CODES[expected["verdict"]])
    if "counts" in expected:
        assert expected["counts"].items() <= counts_of(ended.outcome).items()
    if "logged" in expected:
        assert expected["logged"] in conductor.logs(ended.run)
    for value in values:
        assert value not in conductor.logs(ended.run)
        assert value not in json.dumps(ended.outcome) + ended.stderr
        assert files_with(conductor.state, value) == []
    assert left_behind(conductor.state, ended.run) == []


def test_a_tag_that_looks_like_an_option_of_git_is_only_a_name(conductor: Conductor, tmp_path: Path):
    folder = repository("one-shot", tmp_path)
    marker = tmp_path / "executed"
    tag = f"--upload-pack=touch${{IFS}}{marker};git-upload-pack"
    git(folder, "update-ref", f"refs/tags/{tag}", "HEAD")

    ended = conductor.run(str(folder), f"--ref={tag}", "--cleanup", "always")

    assert ended.outcome["verdict"] == "passed", ended.outcome
    assert not marker.exists()


def test_failed_tests_alone_run_again_in_the_kept_stack_with_the_same_image(
    conductor: Conductor, tmp_path: Path
):
    folder = str(repository("red", tmp_path))
    first, images = conductor.run(folder, "--no-cleanup"), conductor.images()
    again, images_again = conductor.run(folder, "--rerun-failed"), conductor.images()
    anew, images_anew = conductor.run(folder, "--from", "stack"), conductor.images()
    removed = conductor("stacks", "delete", first.run)

    assert [one.exit_code for one in (first, again, anew)] == [EXIT_CODES["failed"]] * 3
    assert {one.run for one in (first, again, anew)} == {first.run}
    assert [sum(counts_of(one.outcome).values()) for one in (first, again, anew)] == [3, 1, 3]
    assert images == images_again == images_anew != set()
    assert removed.returncode == 0, removed.stderr
    assert left_behind(conductor.state, first.run) == []


def test_a_run_writes_nothing_into_the_repository(conductor: Conductor, tmp_path: Path):
    folder = repository("suites", tmp_path)

    conductor.run(str(folder), "--cleanup", "always")

    assert git(folder, "status", "--porcelain", "--ignored") == ""
