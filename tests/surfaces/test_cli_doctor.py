"""doctor looks at the engine that is set, or at the one that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conductor.cli.main import answer


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings that choose the engine that runs nothing, and a cluster that is not there."""
    monkeypatch.setenv("CONDUCTOR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CONDUCTOR_ENGINE", "fake")
    monkeypatch.setenv("CONDUCTOR_KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    return tmp_path


@pytest.mark.usefixtures("nowhere")
def test_the_engine_that_is_set_is_looked_at(capsys: pytest.CaptureFixture[str]):
    answer(["doctor", "--json"])
    assert "cluster" not in [line["subject"] for line in json.loads(capsys.readouterr().out)]


@pytest.mark.usefixtures("nowhere")
def test_another_engine_is_looked_at_where_it_is_named(capsys: pytest.CaptureFixture[str]):
    assert answer(["doctor", "--engine", "kubernetes", "--json"]) == 3
    found = {line["subject"]: line for line in json.loads(capsys.readouterr().out)}
    assert not found["cluster"]["ok"]
    assert "CONDUCTOR_KUBECONFIG" in found["cluster"]["remedy"]


@pytest.mark.usefixtures("nowhere")
def test_an_engine_that_nobody_knows_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]):
    assert answer(["doctor", "--engine", "swarm"]) == 2
    assert "kubernetes" in capsys.readouterr().err


@pytest.mark.usefixtures("nowhere")
def test_a_registry_that_is_set_is_looked_at_and_one_that_cannot_be_reached_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("REGISTRY_TYPE", "plain")
    monkeypatch.setenv("CONDUCTOR_REGISTRY_URL", "http://127.0.0.1:1")
    assert answer(["doctor", "--json"]) == 3
    found = {line["subject"]: line for line in json.loads(capsys.readouterr().out)}
    assert not found["registry"]["ok"]
    assert "CONDUCTOR_REGISTRY_URL" in found["registry"]["remedy"]


@pytest.mark.usefixtures("nowhere")
def test_settings_that_a_registry_lacks_are_a_mistake_of_configuration_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("REGISTRY_TYPE", "harbor")
    assert answer(["doctor"]) == 2
    told = capsys.readouterr().err
    for name in ("CONDUCTOR_REGISTRY_URL", "CONDUCTOR_REGISTRY_USER", "CONDUCTOR_REGISTRY_PASSWORD"):
        assert name in told
