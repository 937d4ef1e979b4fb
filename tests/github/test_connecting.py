"""How GitHub is set, how an App is made, and where the addresses are."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.adapters.github import GitHubSite, configured, convert, manifest
from conductor.errors import ConfigurationError, NotFoundError, UsageError
from conductor.settings import Settings
from tests.github.fake import APP_ID, FakeGitHub


def site_of(**values: object) -> GitHubSite | None:
    return configured(Settings.model_validate({f"github_{name}": value for name, value in values.items()}))


def test_without_any_setting_there_is_no_github():
    assert site_of() is None


def test_an_app_is_read_with_its_key_from_a_file_or_on_one_line(github: FakeGitHub, tmp_path: Path):
    file = tmp_path / "key.pem"
    file.write_text(github.pem)
    by_file = site_of(app_id=APP_ID, private_key_file=file, webhook_secret="new, old")
    by_line = site_of(app_id=APP_ID, private_key=github.pem.replace("\n", "\\n"), webhook_secret="new,old")
    assert by_file == by_line
    assert by_file is not None
    assert by_file.app is not None
    assert (by_file.app.id, by_file.secrets, by_file.api) == (
        APP_ID,
        ("new", "old"),
        "https://api.github.com",
    )


def test_a_server_of_ones_own_has_its_interface_below_its_address():
    site = site_of(url="https://git.example.org", token="t")
    assert site is not None
    assert (site.api, site.location("acme/shop")) == (
        "https://git.example.org/api/v3",
        "https://git.example.org/acme/shop.git",
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"app_id": "1"}, "PRIVATE_KEY: it is empty"),
        ({"private_key": "hunter2"}, "APP_ID: it is empty"),
        ({"app_id": "1", "private_key": "hunter2"}, "PRIVATE_KEY: it is no private key"),
        (
            {"app_id": "1", "private_key_file": "/no/such/file"},
            "PRIVATE_KEY_FILE: /no/such/file: No such file",
        ),
        ({"webhook_secret": "hunter2"}, "neither an App nor a token"),
        ({"app_id": "1", "private_key": "hunter2", "token": "t"}, "one of the two is used"),
        ({"app_id": "1", "private_key": "hunter2", "private_key_file": "/no"}, "leave one of them out"),
    ],
)
def test_what_is_set_wrong_is_named_without_its_value(values: dict[str, str], said: str):
    with pytest.raises(ConfigurationError) as caught:
        site_of(**values)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_shown_with_the_site(github: FakeGitHub):
    shown = repr(site_of(app_id=APP_ID, private_key=github.pem, webhook_secret="hunter2"))
    assert "hunter2" not in shown
    assert "PRIVATE" not in shown


def test_the_app_asks_for_what_the_documentation_lists_and_no_more():
    made = manifest("https://conductor.example.org/", "Conductor of Acme")
    page = (Path(__file__).parents[2] / "docs" / "howto" / "connect-github.md").read_text()
    for name, level in made["default_permissions"].items():
        assert f"| `{name}` | {level} |" in page
    for event in made["default_events"]:
        assert f"| `{event}` |" in page
    assert made["hook_attributes"]["url"] == "https://conductor.example.org/webhooks/github"
    assert "administration" not in made["default_permissions"]


async def test_the_code_of_the_browser_becomes_credentials_that_are_not_shown(
    github: FakeGitHub, github_url: str
):
    made = await convert("good", api=github_url)
    assert (made.app_id, made.private_key) == (APP_ID, github.pem)
    assert "PRIVATE" not in repr(made)
    with pytest.raises(NotFoundError):
        await convert("used", api=github_url)
    with pytest.raises(UsageError):
        await convert("../x", api=github_url)
