"""The real command line in processes of its own, on the fake engine: what it prints, and what it answers."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor.cli.main import answer

SHOP = Path(__file__).parents[2] / "examples" / "shop"
CONDUCTOR = [sys.executable, "-m", "conductor.cli.main"]
LONGEST = 120
REMOVED = ("--cleanup", "always")


def environment(state: Path, fail: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")}
    ours = {"CONDUCTOR_STATE": str(state), "CONDUCTOR_ENGINE": "fake", "CONDUCTOR_FAIL": fail}
    return {**kept, **ours, "PYTHONUNBUFFERED": "1"}


def conductor(state: Path, *arguments: str, fail: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        env=environment(state, fail),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


def begun(state: Path, *arguments: str, fail: str, until: str) -> subprocess.Popen[str]:
    """Start a run as JSON lines and return once it has told an event of that kind."""
    process = subprocess.Popen(
        [*CONDUCTOR, *arguments, "--json"],
        env=environment(state, fail),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("kind") == until:
            return process
    raise AssertionError(f"it ended before {until}: {process.communicate()[1]}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repositories") / "shop"
    shutil.copytree(SHOP, folder)
    return folder


@pytest.fixture(scope="module")
def passed(
    shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[dict[str, object]]]]:
    """A state folder with one green run in it whose stack stands, and what that run told as JSON."""
    state = tmp_path_factory.mktemp("state")
    ended = conductor(state, "run", str(shop), "--no-cleanup", "--json")
    assert ended.returncode == 0, ended.stderr
    yield state, [json.loads(line) for line in ended.stdout.splitlines()]
    conductor(state, "stacks", "delete", "--all")  # with the last stack its sweeper goes


@pytest.fixture
def asked(passed: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the green run, for commands that are answered in this process."""
    state, told = passed
    for name, value in environment(state).items():
        monkeypatch.setenv(name, value)
    return told[0]["run"]  # type: ignore[index]


def test_a_stream_of_events_ends_with_the_outcome(passed: tuple[Path, list[dict[str, object]]]):
    _, told = passed
    numbers = [event["seq"] for event in told[:-1]]
    assert numbers == sorted(numbers)
    assert (told[-1]["kind"], told[-1]["verdict"], told[-1]["exit_code"]) == ("outcome", "passed", 0)
    assert [event["kind"] for event in told][-2] == "run.ended"


def test_red_tests_answer_1_and_plain_lines_end_with_the_report(shop: Path, tmp_path: Path):
    ended = conductor(tmp_path, "run", str(shop), "--cleanup", "always", fail="tests:fails")
    assert ended.returncode == 1
    assert re.search(r"^ +\d+\.\ds  service  redis: healthy$", ended.stdout, re.MULTILINE)
    assert "\nFAILED  TestsFailed" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_an_image_that_cannot_be_pulled_answers_3_with_its_reason(shop: Path, tmp_path: Path):
    ended = conductor(tmp_path, "run", str(shop), "--json", *REMOVED, fail="deploy/redis:ImagePullBackOff")
    told = json.loads(ended.stdout.splitlines()[-1])
    assert (ended.returncode, told["verdict"], told["reason"]) == (3, "broken", "ImagePullBackOff")


def test_one_interrupt_cancels_the_run_and_ends_it_with_a_verdict(shop: Path, tmp_path: Path):
    process = begun(
        tmp_path, "run", str(shop), "--cleanup", "always", fail="tests:hangs", until="suite.started"
    )
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert "Ctrl-C again leaves at once" in err
    assert json.loads(out.splitlines()[-1])["verdict"] == "cancelled"


def test_a_shutdown_leaves_the_run_for_who_resumes_it(shop: Path, tmp_path: Path):
    process = begun(
        tmp_path, "run", str(shop), "--cleanup", "always", fail="tests:hangs", until="suite.started"
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    told = re.search(r"conductor runs resume (\S+)", err)
    assert told
    shown = json.loads(conductor(tmp_path, "runs", "show", "--json").stdout)
    assert (shown["id"], shown["status"]) == (told[1], "interrupted")
    cancelled = conductor(tmp_path, "runs", "cancel", told[1], "--json")
    assert json.loads(cancelled.stdout)["verdict"] == "cancelled"


def test_a_killed_run_goes_on_to_its_verdict_when_it_is_resumed(shop: Path, tmp_path: Path):
    process = begun(
        tmp_path, "run", str(shop), "--cleanup", "always", fail="engine:gone=600", until="build.ended"
    )
    process.kill()
    process.communicate(timeout=LONGEST)
    resumed = conductor(tmp_path, "runs", "resume", "--json")
    told = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert (resumed.returncode, told[-1]["verdict"]) == (0, "passed")
    assert "run.resumed" in [event["kind"] for event in told]


def test_on_a_terminal_the_picture_gives_way_to_the_report_and_the_cursor_comes_back(
    shop: Path, tmp_path: Path
):
    told = on_a_terminal(tmp_path, "run", str(shop), "--cleanup", "always")
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told)
    assert seen.rindex("Stages") > seen.rindex("✓ clone")
    assert seen.rstrip().splitlines()[-1] == "PASSED"


def on_a_terminal(state: Path, *arguments: str) -> str:
    """Run a command with a terminal of 80 by 24 as its own and return all that it wrote to it."""
    leader, follower = pty.openpty()
    told = bytearray()
    size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*CONDUCTOR, *arguments],
        env={**environment(state), **size},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        while select.select([leader], [], [], LONGEST)[0]:
            try:
                told += os.read(leader, 65536)
            except OSError:  # the other side has closed it
                break
        process.wait(timeout=LONGEST)
    os.close(leader)
    return told.decode()


def test_a_reader_that_goes_away_ends_a_command_quietly(passed: tuple[Path, object]):
    state, _ = passed
    process = subprocess.Popen(
        [*CONDUCTOR, "runs", "events"], env=environment(state), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=LONGEST), said) == (141, b"")


def test_runs_are_listed_and_shown(asked: str, capsys: pytest.CaptureFixture[str]):
    assert answer(["runs", "list"]) == 0
    assert re.search(rf"{asked} +shop .* passed ", capsys.readouterr().out)
    assert answer(["runs", "show"]) == 0
    assert capsys.readouterr().out.startswith("PASSED\n")


def test_a_run_is_found_by_the_beginning_of_its_id(asked: str, capsys: pytest.CaptureFixture[str]):
    assert answer(["runs", "show", asked[:-3], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == asked


@pytest.mark.parametrize("form", ["text", "markdown", "json", "digest"])
def test_a_report_comes_in_every_form(asked: str, form: str, capsys: pytest.CaptureFixture[str]):
    assert answer(["runs", "report", asked, "--format", form]) == 0
    assert "passed" in capsys.readouterr().out.lower()


def test_logs_of_one_workload_stand_alone_and_those_of_all_say_whose_they_are(
    asked: str, capsys: pytest.CaptureFixture[str]
):
    assert answer(["runs", "logs", asked]) == 0
    everything = capsys.readouterr().out.splitlines()
    assert everything
    assert all(" | " in line for line in everything)
    whose = everything[0].partition(" ")[0]
    assert answer(["runs", "logs", asked, whose, "--tail", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_events_begin_after_the_number_that_is_named(asked: str, capsys: pytest.CaptureFixture[str]):
    assert answer(["runs", "events", asked, "--after", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["seq"] == 4


def test_a_stack_is_listed_and_its_lease_changed(asked: str, capsys: pytest.CaptureFixture[str]):
    for arguments, word in [
        (["list", asked], "kept"),
        (["extend", asked, "--by", "2h"], "ends: in"),
        (["pin", asked], "pinned"),
        (["release", asked, "--keep-for", "1h"], "ends: in"),
    ]:
        assert answer(["stacks", *arguments]) == 0
        assert word in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["runs", "show", "nothing"], 2, "there is no run 'nothing'"),
        (["runs", "report", "nothing", "--json"], 2, '"code":"not-found"'),
        (["stacks", "delete"], 2, "--all"),
        (["run", "--no-cleanup", "--cleanup", "always"], 2, "contradict"),
        (["run", "--keep-for", "tomorrow"], 2, "is no duration"),
        (["stacks", "open", "x", "backend"], 2, "SERVICE:PORT"),
        (["frobnicate"], 2, "No such command"),
        (["check", "/nowhere"], 2, "/nowhere"),
    ],
)
def test_what_cannot_be_answered_is_said_with_the_exit_code_of_its_kind(
    asked: str, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
):
    del asked
    assert answer(arguments) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert "Traceback" not in told.err
