"""conductor tests, as it is typed: one green and one red run of the same commit, and what is said of their tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.surfaces.test_cli_runs import REMOVED, SHOP, conductor

RED = "tests:fails"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that knows a green run and a red one of the same commit."""
    folder = tmp_path_factory.mktemp("history")
    shop = folder / "shop"
    shutil.copytree(SHOP, shop)
    author = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-qm", "shop")):
        subprocess.run(["git", *command], cwd=shop, check=True)
    assert conductor(folder / "state", "run", str(shop), *REMOVED).returncode == 0
    assert conductor(folder / "state", "run", str(shop), *REMOVED, fail=RED).returncode == 1
    return folder / "state"


def told(state: Path, *arguments: str) -> Any:
    answered = conductor(state, *arguments, "--json")
    assert answered.returncode == 0, answered.stdout
    return json.loads(answered.stdout)


def test_failing_names_the_test_and_the_run_since_which_it_is_red(state: Path):
    printed = conductor(state, "tests", "failing").stdout
    assert "tests: tests > breaks" in printed
    assert "tests: tests > works" not in printed
    (found,) = told(state, "tests", "failing")["tests"]
    assert found["first_red"]["run"] == told(state, "runs", "list")[0]["id"]
    assert found["pass_rate"] == 0.0


def test_no_test_is_flaky_where_none_gave_both_results(state: Path):
    assert conductor(state, "tests", "flaky").stdout == "No test is flaky in 2 runs of shop.\n"


def test_slowest_lists_each_test_with_its_times(state: Path):
    found = told(state, "tests", "slowest", "--repository", "shop")
    assert (found["repository"], found["runs"]) == ("shop", 2)
    assert {one["test"]["name"] for one in found["tests"]} == {"works", "breaks"}
    assert told(state, "tests", "slowest", "--limit", "1")["tests"] == found["tests"][:1]


def test_the_history_of_one_test_is_told_run_by_run_the_latest_first(state: Path):
    row = told(state, "tests", "history", "works")
    ids = [run["id"] for run in told(state, "runs", "list")]
    assert [one["tested"]["run"] for one in row["sightings"]] == ids
    assert "100% passed of 2 runs" in conductor(state, "tests", "history", "works").stdout


def test_a_test_that_no_run_had_is_refused_with_what_to_do(state: Path):
    refused = conductor(state, "tests", "history", "nothing")
    assert refused.returncode == 2
    assert "conductor tests slowest" in refused.stderr


def test_quarantine_turns_the_red_run_green_until_it_is_taken_back(state: Path):
    entry = told(state, "tests", "quarantine", "add", "breaks", "--reason", "flaky, see #12", "--for", "7d")
    assert entry["test"] == {"suite": "tests", "classname": "tests", "name": "breaks"}
    assert entry["until"] > entry["added_at"]
    shop = str(state.parent / "shop")
    excused = conductor(state, "run", shop, *REMOVED, fail=RED)
    assert (excused.returncode, "flaky, see #12" in excused.stdout) == (0, True)
    assert "flaky, see #12" in conductor(state, "tests", "quarantine", "list").stdout
    assert "counts again" in conductor(state, "tests", "quarantine", "remove", "breaks").stdout
    assert told(state, "tests", "quarantine", "list") == []
    assert conductor(state, "run", shop, *REMOVED, fail=RED).returncode == 1


def test_two_ends_at_once_are_refused(state: Path):
    ends = ("--for", "1d", "--until", "2099-01-01")
    refused = conductor(state, "tests", "quarantine", "add", "breaks", "--reason", "flaky", *ends)
    assert refused.returncode == 2
    assert "--for and --until" in refused.stderr
