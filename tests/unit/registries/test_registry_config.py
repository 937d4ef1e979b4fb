"""All differences between registries, as a table; names that nobody else has; settings that are missing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.adapters.registries.naming import flat, joined
from conductor.adapters.registries.registry_config import RegistryConfig, configured, read_name
from conductor.errors import ConfigurationError
from conductor.settings import RegistryType, Settings, read_settings

HARBOR = {
    "registry_type": "harbor",
    "registry_url": "https://harbor.conductor.digitalservic.es",
    "registry_user": "robot$conductor",
    "registry_password": "push-secret",
    "registry_pull_user": "robot$pull",
    "registry_pull_password": "pull-secret",
}
DOCKERHUB = {
    "registry_type": "dockerhub",
    "registry_project": "w3evolutionsllc",
    "registry_user": "w3evolutionsllc",
    "registry_password": "push-secret",
}
PLAIN = {"registry_type": "plain", "registry_url": "http://localhost:5000"}
EACH = {"harbor": HARBOR, "dockerhub": DOCKERHUB, "plain": PLAIN}
KEY = "0123456789abcdef" * 2
DIGEST = "sha256:" + "ab" * 32
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
OCI_NAME = re.compile(rf"{COMPONENT}(/{COMPONENT})*")
"""OCI distribution specification 1.1, "Pulling manifests"."""
HUB_NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
REPOSITORIES = st.one_of(st.text(max_size=120), st.from_regex(r"[A-Za-z0-9._/-]{1,120}", fullmatch=True))
IMAGES = st.one_of(REPOSITORIES, st.sampled_from(["tests/unit", "layer-cache", "tests/tests", "a_b", "a-b"]))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONDUCTOR_{name.upper()}", raising=False)
    monkeypatch.delenv("REGISTRY_TYPE", raising=False)


def of(settings: dict[str, Any], **more: Any) -> RegistryConfig:
    return configured(Settings(**{**settings, **more}))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (HARBOR, "harbor.conductor.digitalservic.es/conductor/image:tag"),
        (DOCKERHUB, "w3evolutionsllc/image:tag"),
        (PLAIN, "localhost:5000/image:tag"),
        ({**PLAIN, "registry_project": "qa/images"}, "localhost:5000/qa/images/image:tag"),
    ],
)
def test_an_image_is_called_as_its_registry_calls_it(settings: dict[str, Any], name: str):
    config = of(settings)
    assert config.reference("/".join(part for part in (config.project, "image") if part), "tag") == name


@pytest.mark.parametrize(
    ("settings", "image", "cache"),
    [
        (HARBOR, "harbor.conductor.digitalservic.es/conductor/acme_shop/backend", "acme_shop/layer-cache"),
        (
            {**HARBOR, "registry_project_per_repository": True},
            "harbor.conductor.digitalservic.es/conductor_acme_shop/backend",
            "conductor_acme_shop/layer-cache",
        ),
        (DOCKERHUB, "w3evolutionsllc/acme_shop_backend", "w3evolutionsllc/acme_shop_layer-cache"),
        (PLAIN, "localhost:5000/acme_shop/backend", "acme_shop/layer-cache"),
    ],
)
def test_the_image_of_a_service_and_the_cache_are_beside_each_other(
    settings: dict[str, Any], image: str, cache: str
):
    config = of(settings)
    assert config.reference(config.path("acme/shop", "backend"), KEY) == f"{image}:{KEY}"
    assert config.cache_path("acme/shop").endswith(cache)


@pytest.mark.parametrize(
    ("settings", "server", "narrow", "scans", "link"),
    [
        (
            HARBOR,
            "harbor.conductor.digitalservic.es",
            False,
            True,
            "https://harbor.conductor.digitalservic.es/harbor/projects/conductor/repositories/acme_shop%2Fbackend/artifacts-tab/artifacts/"
            + DIGEST,
        ),
        (
            {**HARBOR, "registry_project_per_repository": True, "registry_scan": False},
            "harbor.conductor.digitalservic.es",
            True,
            False,
            "https://harbor.conductor.digitalservic.es/harbor/projects/conductor_acme_shop/repositories/backend/artifacts-tab/artifacts/"
            + DIGEST,
        ),
        (
            DOCKERHUB,
            "https://index.docker.io/v1/",
            False,
            False,
            f"https://hub.docker.com/r/w3evolutionsllc/acme_shop_backend/tags?name={KEY}",
        ),
        (PLAIN, "localhost:5000", False, False, ""),
    ],
)
def test_credentials_scanning_grants_and_pages_differ(
    settings: dict[str, Any], server: str, narrow: object, scans: object, link: str
):
    config = of(settings)
    assert (config.server, config.narrow, config.scans) == (server, narrow, scans)
    name = read_name(config.reference(config.path("acme/shop", "backend"), KEY))
    assert config.link(name, DIGEST) == link


def test_accounts_to_push_and_to_pull_are_two_and_neither_password_is_shown():
    config = of(HARBOR)
    assert config.push is not None
    assert config.pull is not None
    assert (config.push.username, config.pull.username) == ("robot$conductor", "robot$pull")
    assert (config.push.password, config.pull.password) == ("push-secret", "pull-secret")
    assert "-secret" not in repr(config)
    assert of(DOCKERHUB).pull is None, "what pushes is never given to who pulls"


def test_what_an_earlier_run_recorded_is_linked_after_the_registry_was_changed():
    hub, harbor, plain = of(DOCKERHUB), of(HARBOR), of(PLAIN)
    on_hub = read_name(hub.reference(hub.path("acme/shop", "backend"), KEY))
    on_harbor = read_name(harbor.reference(harbor.path("acme/shop", "backend"), KEY))
    assert harbor.link(on_hub, DIGEST) == plain.link(on_hub, DIGEST) == hub.link(on_hub, DIGEST) != ""
    assert plain.link(on_harbor, DIGEST) == "", "nobody says what it was"
    assert not plain.owns(on_harbor)


@pytest.mark.parametrize("settings", [*EACH.values(), {**HARBOR, "registry_project_per_repository": True}])
@given(pairs=st.lists(st.tuples(REPOSITORIES, IMAGES), min_size=2, max_size=2, unique=True))
def test_whatever_they_are_called_two_images_have_two_valid_names_and_the_same_each_time(
    settings: dict[str, Any], pairs: list[tuple[str, str]]
):
    config = of(settings)
    paths = [config.path(*pair) for pair in pairs]
    paths += [config.cache_path(repository) for repository, _ in pairs]
    assert paths[0] != paths[1]
    assert not {*paths[:2]} & {*paths[2:]}
    for path, (repository, image) in zip(paths, pairs, strict=False):
        reference = config.reference(path, KEY)
        assert OCI_NAME.fullmatch(path), path
        assert len(reference) < 255
        assert path == config.path(repository, image)
        assert config.is_image_of(path, repository)
        assert read_name(reference).path == path
        assert not config.flat or HUB_NAME.fullmatch(path.rpartition("/")[2])


@pytest.mark.parametrize("settings", EACH.values())
@given(repositories=st.lists(REPOSITORIES, min_size=2, max_size=2, unique=True), image=IMAGES)
def test_no_image_is_taken_for_one_of_another_repository(
    settings: dict[str, Any], repositories: list[str], image: str
):
    config = of(settings)
    one, other = repositories
    assert not config.is_image_of(config.path(one, image), other)
    assert not config.is_image_of(config.cache_path(one), one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme/shop", "acme_shop"),
        ("acme/shop", "acme-shop"),
        ("Acme/Shop", "acme/shop"),
        ("acme/shöp", "acme/shop"),
        ("acme/shop", "acme/shop/"),
        ("a" * 200, "a" * 201),
        ("acme/shop", "acme/shop\u200b"),
        ("x!", joined("x!")),
        ("", "-"),
    ],
)
def test_what_looks_alike_is_kept_apart(one: str, other: str):
    assert joined(one) != joined(other)
    assert flat(one) != flat(other)


def test_names_are_the_same_in_every_release():
    assert joined("Acme/Shöp") == "acme-sh-p-5d63e4d684757dc9"
    assert joined("acme/shop") == "acme_shop"
    assert flat("tests/unit") == "tests-unit-3fcb9fec680b1280"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"registry_type": "harbor"}, {"REGISTRY_URL", "REGISTRY_USER", "REGISTRY_PASSWORD"}),
        ({"registry_type": "dockerhub"}, {"REGISTRY_PROJECT", "REGISTRY_USER", "REGISTRY_PASSWORD"}),
        ({"registry_type": "plain"}, {"REGISTRY_URL"}),
        ({**PLAIN, "registry_user": "me"}, {"REGISTRY_PASSWORD"}),
        ({**PLAIN, "registry_password": "x"}, {"REGISTRY_USER"}),
        ({**DOCKERHUB, "registry_pull_user": "me"}, {"REGISTRY_PULL_PASSWORD"}),
        ({**HARBOR, "registry_pull_password": ""}, {"REGISTRY_PULL_PASSWORD"}),
        ({**PLAIN, "registry_url": "http://registry.example.org"}, {"REGISTRY_URL"}),
        ({**PLAIN, "registry_url": "https://registry.example.org/v2/"}, {"REGISTRY_URL"}),
        ({**PLAIN, "registry_url": "https://me:secret@registry.example.org"}, {"REGISTRY_URL"}),
        ({**PLAIN, "registry_url": "ftp://registry.example.org"}, {"REGISTRY_URL"}),
        ({**PLAIN, "registry_url": "https://registry.example.org:port"}, {"REGISTRY_URL"}),
        ({**HARBOR, "registry_project": "Con/ductor"}, {"REGISTRY_PROJECT"}),
        ({**PLAIN, "registry_project_per_repository": True}, {"REGISTRY_PROJECT_PER_REPOSITORY"}),
        ({**PLAIN, "registry_ca_file": "/nowhere/ca.pem"}, {"REGISTRY_CA_FILE"}),
        ({}, {"REGISTRY_TYPE"}),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named_all_at_once_and_no_password_is(
    settings: dict[str, Any], named: set[str]
):
    with pytest.raises(ConfigurationError) as wrong:
        of(settings)
    files = {problem.file for problem in wrong.value.problems}
    assert files == {f"environment variable CONDUCTOR_{name}" for name in named}
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://[::1]:5000", "http://localhost:5000"])
def test_without_tls_only_this_machine_is_spoken_to(url: str):
    assert of({**PLAIN, "registry_url": url}).api == url
    insecure = of({**PLAIN, "registry_url": "http://registry.example.org", "registry_insecure": True})
    assert insecure.api == "http://registry.example.org"


@pytest.mark.parametrize(
    "url", ["registry.example.org", "https://Registry.Example.org/", "https://registry.example.org"]
)
def test_an_address_is_read_however_it_is_written(url: str):
    assert (of({**PLAIN, "registry_url": url}).api, of({**PLAIN, "registry_url": url}).host) == (
        "https://registry.example.org",
        "registry.example.org",
    )


@pytest.mark.parametrize("variable", ["REGISTRY_TYPE", "CONDUCTOR_REGISTRY_TYPE"])
def test_the_type_is_read_under_either_name_and_a_bad_one_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "plain")
    assert read_settings().registry_type is RegistryType.PLAIN
    monkeypatch.setenv(variable, "quay")
    with pytest.raises(ConfigurationError, match="CONDUCTOR_REGISTRY_TYPE: Input should be 'harbor'"):
        read_settings()


def test_the_longer_name_is_preferred(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGISTRY_TYPE", "plain")
    monkeypatch.setenv("CONDUCTOR_REGISTRY_TYPE", "harbor")
    assert read_settings().registry_type is RegistryType.HARBOR


def test_nothing_of_a_configuration_can_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        of(PLAIN).host = "elsewhere"  # type: ignore[misc]
