import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from conductor.cli import failures
from conductor.errors import (
    ConductorError,
    ConfigurationError,
    NotFoundError,
    Problem,
    RunError,
    UnreachableError,
)

WRONG = ConfigurationError(
    [
        Problem(
            file=".conductor.yaml",
            line=3,
            column=3,
            message="unknown key 'comand'",
            remedy="Did you mean 'command'?",
            source="  comand: yarn test",
        ),
        Problem(file="docker-compose.qa.yml", message="there is no such file"),
    ]
)


def test_every_problem_of_a_file_is_shown_with_its_caret(capsys: pytest.CaptureFixture[str]):
    assert failures.say_error(WRONG, as_json=False) == 2
    assert capsys.readouterr().err == snapshot("""\
error: the configuration has 2 problems
  .conductor.yaml:3:3: unknown key 'comand'
        comand: yarn test
        ^
      Did you mean 'command'?
  docker-compose.qa.yml: there is no such file
""")


def test_a_problem_for_programs_has_the_members_of_rfc_9457_and_ours(capsys: pytest.CaptureFixture[str]):
    failures.say_error(WRONG, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["type"] == "urn:conductor:problem:configuration"
    assert told["title"] == "Files of the repository are wrong"
    assert (told["problems"][0]["line"], told["exit_code"]) == (3, 2)


def test_a_broken_run_carries_its_reason_and_fault():
    told = failures.problem(RunError("no image", reason="ImagePullBackOff", fault="repository"))
    assert (told["reason"], told["fault"]) == ("ImagePullBackOff", "repository")


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFoundError("no run"), 2), (UnreachableError("no engine"), 4), (ConductorError("odd"), 3)],
)
def test_the_class_of_an_error_decides_the_exit_code(
    error: ConductorError, code: int, capsys: pytest.CaptureFixture[str]
):
    assert failures.say_error(error, as_json=False) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_mistake_of_ours_is_one_line_and_the_log_has_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    log = tmp_path / "state" / "conductor.log"
    error = _raised(ValueError("surprise"))
    assert failures.say_mistake(error, as_json=False, verbose=False, log=log) == 3
    said = capsys.readouterr().err
    assert said.startswith("error: this is a mistake in Conductor: ValueError: surprise\n")
    assert str(log) in said
    assert "Traceback" not in said
    assert "Traceback" in log.read_text()


def test_a_mistake_shows_its_traceback_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    failures.say_mistake(_raised(ValueError("x")), as_json=False, verbose=True, log=tmp_path / "log")
    assert "Traceback" in capsys.readouterr().err


def test_a_credential_in_a_mistake_is_masked_on_the_terminal_and_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    token = "ghp_" + "a" * 36
    failures.say_mistake(
        _raised(ValueError(f"bad {token}")), as_json=False, verbose=False, log=tmp_path / "log"
    )
    assert token not in capsys.readouterr().err + (tmp_path / "log").read_text()


def test_a_log_that_cannot_be_written_is_no_second_failure(capsys: pytest.CaptureFixture[str]):
    failures.say_mistake(ValueError("x"), as_json=False, verbose=False, log=Path("/proc/none/conductor.log"))
    assert "--verbose" in capsys.readouterr().err


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]):
    failures.say_error(NotFoundError("no ref \x1b]0;title\x07\x1b[2J'x'"), as_json=False)
    assert capsys.readouterr().err == "error: no ref 'x'\n"


def test_an_error_that_was_foreseen_is_found_in_a_group_of_tasks():
    group = ExceptionGroup(
        "tasks", [ValueError("x"), ExceptionGroup("more", [UnreachableError("no engine")])]
    )
    found = failures.find_foreseen(group)
    assert isinstance(found, UnreachableError)
    assert failures.find_foreseen(ValueError("x")) is None


def _raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as raised:
        raise error
    return raised.value
