"""Settings: defaults that work, every bad value at once, and a reference page that is true."""

import asyncio
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from conductor.adapters.system.clock import SystemClock
from conductor.errors import ConfigurationError
from conductor.settings import EngineKind, Settings, instance_name, read_settings, reference

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONDUCTOR_{name.upper()}", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_without_any_setting_there_are_defaults(tmp_path: Path):
    settings = read_settings()
    assert (settings.state, settings.engine) == (tmp_path / ".local/state/conductor", EngineKind.DOCKER)


@pytest.mark.parametrize("how", ["CONDUCTOR_STATE", "XDG_STATE_HOME", "argument"])
def test_the_state_folder_is_where_it_is_said_to_be(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    if how == "argument":
        monkeypatch.setenv("CONDUCTOR_STATE", "/elsewhere")
        assert read_settings(state=tmp_path / "conductor").state == tmp_path / "conductor"
    else:
        monkeypatch.setenv(how, str(tmp_path / "conductor" if how == "CONDUCTOR_STATE" else tmp_path))
        assert read_settings().state == tmp_path / "conductor"


def test_paths_are_made_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CONDUCTOR_STATE", "~/mine")
    assert read_settings().state == tmp_path / "mine"


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    bad = {
        "ENGINE": "podman",
        "INSTANCE": "Not_Good",
        "DOCKER_HOST": "socket",
        "LOG": "loud",
        "LOG_FORMAT": "xml",
    }
    for name, value in bad.items():
        monkeypatch.setenv(f"CONDUCTOR_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    files = {problem.file for problem in caught.value.problems}
    assert files == {f"environment variable CONDUCTOR_{name}" for name in bad}
    assert all(problem.message for problem in caught.value.problems)


def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONDUCTOR_GIT_TOKEN", "hunter2")
    settings = read_settings()
    assert settings.git_token is not None
    assert settings.git_token.get_secret_value() == "hunter2"
    monkeypatch.setenv("CONDUCTOR_ENGINE", "x")
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert "hunter2" not in f"{settings!r}{settings}{caught.value}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INGRESS_DOMAIN", "https://stacks.example.org"),
        ("INGRESS_DOMAIN", "stacks.example.org:8443"),
        ("INGRESS_DOMAIN", "*.example.org"),
        ("INGRESS_SCHEME", "ftp"),
        ("INGRESS_NAMESPACES", "Ingress Nginx"),
        ("GATEWAY", "public"),
        ("GATEWAY", "a/b/c"),
        ("GATE_KEY", "short"),
    ],
)
def test_a_setting_of_addresses_that_could_not_work_is_named_and_a_key_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(f"CONDUCTOR_{name}", value)
    with pytest.raises(ConfigurationError) as wrong:
        read_settings()
    assert f"CONDUCTOR_{name}" in str(wrong.value)
    assert name != "GATE_KEY" or value not in str(wrong.value)


def test_settings_of_addresses_are_read_as_they_were_meant(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONDUCTOR_INGRESS_DOMAIN", ".Stacks.Example.org.")
    monkeypatch.setenv("CONDUCTOR_GATEWAY", "infra/public")
    monkeypatch.setenv("CONDUCTOR_GATE_KEY", "k" * 32)
    read = read_settings()
    assert (read.ingress_domain, read.gateway, read.ingress_scheme) == (
        "stacks.example.org",
        "infra/public",
        "https",
    )
    assert "kkkk" not in repr(read)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONDUCTOR_ENGINE", "")
    assert read_settings().engine is EngineKind.DOCKER


def test_each_state_folder_of_each_machine_is_an_instance_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    names = {read_settings(state=tmp_path / "a").instance, read_settings(state=tmp_path / "b").instance}
    assert len(names) == 2
    assert read_settings(state=tmp_path / "a").instance in names
    monkeypatch.setenv("CONDUCTOR_STATE", str(tmp_path / "a"))
    assert read_settings().instance == read_settings(state=tmp_path / "a").instance
    monkeypatch.setenv("CONDUCTOR_INSTANCE", "mine")
    assert read_settings().instance == "mine"


@pytest.mark.parametrize("host", ["", "...", "ÜÜ", "x" * 300, "-a-", "Build_1.example.org"])
def test_the_name_of_an_instance_is_always_allowed(host: str):
    name = instance_name(Path("/state"), host)
    assert Settings(state=Path("/state"), instance=name).instance == name


def test_the_reference_page_is_what_the_settings_are():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert page == reference(), "write it anew: python -m conductor.settings > docs/reference/settings.md"
    assert all(f"CONDUCTOR_{name.upper()}" in page for name in Settings.model_fields)


def test_every_setting_says_what_it_is_for():
    assert all(field.description for field in Settings.model_fields.values())


def test_the_clock_is_aware_and_in_utc():
    assert SystemClock().now().tzinfo is UTC


async def test_the_clock_lets_others_work_while_it_waits():
    turns: list[str] = []

    async def other() -> None:
        turns.append("other")

    await asyncio.gather(SystemClock().sleep(timedelta(milliseconds=1)), other())
    assert turns == ["other"]
