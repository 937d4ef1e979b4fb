"""Forges as services: those that the settings name. One without what its deliveries are signed with takes none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.adapters.github.hosting import GitHubHosting
    from conductor.ports.hosting import Hosting
    from conductor.ports.registration import Registration
    from conductor.settings import Settings


def github_of(settings: Settings, opened: AsyncExitStack) -> GitHubHosting | None:
    """Make the one of GitHub, where it is set. ConfigurationError names all that is wrong or missing."""
    from conductor.adapters.github.configured import configured

    if (site := configured(settings)) is None:
        return None
    from conductor.adapters.github.hosting import GitHubHosting

    github = GitHubHosting(site)
    opened.push_async_callback(github.aclose)
    return github


def token_for(github: GitHubHosting | None) -> Callable[[str], Awaitable[str | None]] | None:
    """Return what gives git a token for an address; None where there is no such forge."""
    return github.token_for if github else None


def build_token_for(github: GitHubHosting | None) -> Callable[[str], Awaitable[str | None]] | None:
    """Return what gives builds tokens: an App's, each for one repository and an hour. A token of one's own goes into no build."""
    return github.token_for if github and github.is_app else None


def hostings_of(settings: Settings, github: GitHubHosting | None) -> Mapping[str, Hosting]:
    """Give all of them by name."""
    from conductor.adapters.folder.hosting import FolderHosting
    from conductor.ports.service import Policy

    found: list[Hosting] = [github] if github else []
    if settings.repositories and settings.folder_secret:
        secret = settings.folder_secret.get_secret_value()
        found.append(FolderHosting(settings.repositories, secret=secret, tags=Policy().trigger_tags))
    return {hosting.name: hosting for hosting in found}


def registration(github_url: str) -> Registration:
    """Give what makes Apps at that GitHub."""
    from conductor.adapters.github.registration import GitHubRegistration

    return GitHubRegistration(github_url)
