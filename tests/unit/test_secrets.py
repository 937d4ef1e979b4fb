"""Secrets of one machine: found by the suffix rule, named when missing, and never shown."""

import logging
import os
import subprocess
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conductor.adapters.folder import FolderForge
from conductor.adapters.secrets import EmbeddedSecrets
from conductor.adapters.secrets.dotenv import read_env_file
from conductor.domain.run import Run, Source
from conductor.errors import ConfigurationError, NotFoundError, RefusedError, RunError


def a_run(*files: Path, location: str = "/src/shop", environment: str = "qa") -> Run:
    return Run(
        id="shop-k3v9qd",
        repository="shop",
        source=Source(location=location),
        principal="ada",
        requested_at=datetime(2026, 11, 23, tzinfo=UTC),
        environment=environment,
        env_files=tuple(map(str, files)),
    )


def secrets_of(environment: Mapping[str, str] | None = None) -> EmbeddedSecrets:
    return EmbeddedSecrets(environment=environment or {})


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.env"
    path.touch(mode=0o600)
    return path


def write(file: Path, text: str, *, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


async def test_a_secret_is_taken_from_the_variable_of_the_environment():
    secrets = secrets_of({"KEY_QA": "for qa", "KEY_DEV": "for dev", "KEY": "for nobody"})
    receipt = await secrets.sync(a_run(), {"tests": ["KEY"]})
    assert receipt.keys == {"KEY": "environment variable KEY_QA"}
    assert secrets.value("shop-k3v9qd", "KEY") == "for qa"
    await secrets.sync(a_run(environment="dev"), {"tests": ["KEY"]})
    assert secrets.value("shop-k3v9qd", "KEY") == "for dev"


async def test_files_win_over_the_environment_and_the_last_file_over_the_first(tmp_path: Path):
    first, last = tmp_path / "first.env", tmp_path / "last.env"
    first.write_text("A_QA=1\nB_QA=1\n")
    last.write_text("B_QA=2\n")
    secrets = secrets_of({"A_QA": "0", "B_QA": "0", "C_QA": "0"})
    receipt = await secrets.sync(a_run(first, last), {"tests": ["A", "B", "C"]})
    assert [secrets.value("shop-k3v9qd", name) for name in "ABC"] == ["1", "2", "0"]
    assert receipt.keys == {
        "A": "A_QA in file first.env",
        "B": "B_QA in file last.env",
        "C": "environment variable C_QA",
    }


async def test_all_missing_secrets_are_named_at_once_with_where_they_were_looked_for(env_file: Path):
    secrets = secrets_of({"THERE_QA": "hunter2", "EMPTY_QA": ""})
    with pytest.raises(RunError) as caught:
        await secrets.sync(a_run(env_file), {"tests": ["THERE", "GONE", "EMPTY"]})
    assert caught.value.reason == "SecretMissing"
    assert caught.value.message == (
        f"secrets are missing: GONE_QA, EMPTY_QA (looked in file {env_file}, the process environment)"
    )
    assert "--env-file" in caught.value.remedy


async def test_a_value_is_there_only_after_it_was_synced_in_this_process():
    with pytest.raises(KeyError):
        secrets_of({"KEY_QA": "x"}).value("shop-k3v9qd", "KEY")


async def test_no_value_is_shown_by_any_text_of_ours(env_file: Path):
    write(env_file, "KEY_QA=hunter2-very-secret\n")
    secrets = secrets_of({"OTHER_QA": "hunter2-too"})
    receipt = await secrets.sync(a_run(env_file), {"tests": ["KEY", "OTHER"]})
    assert "hunter2" not in f"{secrets!r}{secrets}{receipt}"
    with pytest.raises(RunError) as caught:
        await secrets.sync(a_run(env_file), {"tests": ["KEY", "GONE"]})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


async def test_the_masker_of_a_run_hides_its_values():
    secrets = secrets_of({"KEY_QA": "hunter2", "LINES_QA": "first line\nsecond line"})
    await secrets.sync(a_run(), {"tests": ["KEY", "LINES"]})
    mask = secrets.masker("shop-k3v9qd")
    assert mask("password hunter2, second line") == "password ***, ***"
    assert secrets.masker("another")("hunter2") == "hunter2"


async def test_a_file_that_others_can_read_is_warned_about(env_file: Path, caplog: pytest.LogCaptureFixture):
    write(env_file, "KEY_QA=hunter2\n")
    secrets = secrets_of()
    with caplog.at_level(logging.WARNING):
        await secrets.sync(a_run(env_file), {"tests": ["KEY"]})
        assert caplog.text == ""
        write(env_file, "KEY_QA=hunter2\n", mode=0o644)
        await secrets.sync(a_run(env_file), {"tests": ["KEY"]})
    assert f"{env_file}: chmod 600 it" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_file_in_the_folder_that_is_tested_is_refused(tmp_path: Path, env_file: Path):
    with pytest.raises(RefusedError, match="belongs to the repository"):
        await secrets_of().sync(a_run(env_file, location=str(tmp_path)), {"tests": ["KEY"]})


async def test_a_link_to_a_file_in_the_folder_that_is_tested_is_refused_too(tmp_path: Path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "secrets.env").write_text("KEY_QA=hunter2\n")
    (tmp_path / "link.env").symlink_to("shop/secrets.env")
    run = a_run(tmp_path / "link.env", location=str(tmp_path / "shop"))
    with pytest.raises(RefusedError):
        await secrets_of().sync(run, {"tests": ["KEY"]})


async def test_a_file_that_git_ignores_is_none_of_the_repositorys_where_the_forge_is_asked(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)  # noqa: ASYNC221 -- a test waits for nobody
    (tmp_path / ".gitignore").write_text("*.env\n")
    for name in ("ignored.env", "tracked"):
        (tmp_path / name).write_text("KEY_QA=x\n")
    secrets = EmbeddedSecrets(environment={}, carries=FolderForge().carries)
    await secrets.sync(a_run(tmp_path / "ignored.env", location=str(tmp_path)), {"tests": ["KEY"]})
    with pytest.raises(RefusedError):
        await secrets.sync(a_run(tmp_path / "tracked", location=str(tmp_path)), {"tests": ["KEY"]})


async def test_what_is_no_file_is_said(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", ".", "pipe"):
        with pytest.raises(NotFoundError, match="reading secrets"):
            await secrets_of().sync(a_run(tmp_path / name), {"tests": ["KEY"]})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("# comment\n\n  \nexport A = 1 \n", {"A": "1"}),
        ("A=1 # comment\nB=1#2\nC=# comment", {"A": "1", "B": "1#2", "C": ""}),
        ("A=\nB=''\nC=\"\"", {"A": "", "B": "", "C": ""}),
        ("A='a # b $C \\n \"'  # comment", {"A": 'a # b $C \\n "'}),
        ('A="a\\nb\\t\\"c\\" \\\\ \\d $E"', {"A": 'a\nb\t"c" \\ \\d $E'}),
        ("A='one\ntwo\r\n\nthree'\nB=1", {"A": "one\ntwo\r\n\nthree", "B": "1"}),
        ('A="-----BEGIN\nx=\n-----END"\n', {"A": "-----BEGIN\nx=\n-----END"}),
        ("A=ünï ✓ \U0001f511", {"A": "ünï ✓ \U0001f511"}),
        ("A=postgres://u:p@h/d?x=1&y='2'", {"A": "postgres://u:p@h/d?x=1&y='2'"}),
        ("A=1\nA=2", {"A": "2"}),
        ("", {}),
    ],
)
def test_env_files_are_read_as_they_are_written(text: str, values: dict[str, str]):
    assert read_env_file(text.encode(), file="x.env") == values


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"A=1\nhunter2\n", [2]),
        (b"A='hunter2\n", [1]),
        (b'A="hunter2\n', [1]),
        (b"A='x' hunter2\n", [1]),
        (b"A B=hunter2\nA=1\n1A=hunter2", [1, 3]),
        (b"A=1\nB=\xffhunter2", [2]),
        (b"\x00hunter2", [1]),
    ],
)
def test_mistakes_in_env_files_are_named_by_line_and_never_shown(content: bytes, lines: list[int]):
    with pytest.raises(ConfigurationError) as caught:
        read_env_file(content, file="x.env")
    assert [problem.line for problem in caught.value.problems] == lines
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown.replace(repr(content), "")
    assert caught.value.__context__ is None


@given(some.text(alphabet=some.characters(codec="utf-8")).filter(lambda text: "'" not in text))
def test_any_text_in_single_quotes_comes_back_byte_for_byte(value: str):
    assert read_env_file(f"A='{value}'\nB=1".encode(), file="x.env") == {"A": value, "B": "1"}


@given(some.text(alphabet=some.characters(codec="utf-8")))
def test_any_text_in_double_quotes_comes_back_byte_for_byte(value: str):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert read_env_file(f'A="{quoted}"\nB=1'.encode(), file="x.env") == {"A": value, "B": "1"}


@given(some.binary())
def test_no_content_breaks_the_reader(content: bytes):
    with suppress(ConfigurationError):
        assert all(isinstance(value, str) for value in read_env_file(content, file="x.env").values())
