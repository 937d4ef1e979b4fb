"""migrate makes and updates the tables of records and workflows, on files and on Postgres, as often as it is asked."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from conductor.adapters.stores import schema
from conductor.cli.main import answer


def test_files_are_made_and_left_as_they_are_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("CONDUCTOR_STATE", str(tmp_path))
    monkeypatch.delenv("CONDUCTOR_DATABASE", raising=False)
    assert [answer(["migrate"]), answer(["migrate"])] == [0, 0]
    assert schema.HEAD in capsys.readouterr().out
    assert (tmp_path / "workflows.db").exists()


def test_a_database_gets_both_kinds_of_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str):
    monkeypatch.setenv("CONDUCTOR_STATE", str(tmp_path))
    monkeypatch.setenv("CONDUCTOR_DATABASE", postgres)
    assert answer(["migrate"]) == 0
    with psycopg.connect(postgres) as connection:
        found = connection.execute(
            "SELECT to_regclass('runs') IS NOT NULL, to_regclass('durable.workflow_status') IS NOT NULL"
        ).fetchone()
    assert found == (True, True)


def test_a_database_that_does_not_answer_is_unreachable_and_its_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("CONDUCTOR_STATE", str(tmp_path))
    monkeypatch.setenv("CONDUCTOR_DATABASE", "postgresql://ada:hunter2@127.0.0.1:1/conductor")
    assert answer(["migrate"]) == 4
    assert "hunter2" not in "".join(capsys.readouterr())
