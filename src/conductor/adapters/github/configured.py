"""GitHub as the settings describe it. All that is wrong is named at once; no value of a secret is."""

from __future__ import annotations

from pathlib import Path

from conductor.adapters.github.credentials import load_key
from conductor.adapters.github.site import App, GitHubSite, api_of
from conductor.errors import ConfigurationError, Problem
from conductor.settings import Settings

_LONGEST_KEY = 64 * 1024


def configured(settings: Settings) -> GitHubSite | None:
    """Return the site; None where no GitHub is set. Raises ConfigurationError."""
    token = settings.github_token.get_secret_value().strip() if settings.github_token else ""
    told = settings.github_webhook_secret.get_secret_value() if settings.github_webhook_secret else ""
    secrets = tuple(part.strip() for part in told.split(",") if part.strip())
    key = settings.github_private_key or settings.github_private_key_file
    if not (settings.github_app_id or key or token or secrets):
        return None
    problems: list[Problem] = []
    app = _app(settings, problems)
    if app and token:
        problems.append(_problem("TOKEN", "there is an App too: one of the two is used"))
    if not (app or token or problems):
        problems.append(_problem("APP_ID", "there is neither an App nor a token to ask GitHub with"))
    if problems:
        raise ConfigurationError(
            problems, remedy="docs/howto/connect-github.md says how GitHub is connected."
        )
    web = settings.github_url.rstrip("/")
    return GitHubSite(web=web, api=api_of(web), app=app, token=token, secrets=secrets)


def _app(settings: Settings, problems: list[Problem]) -> App | None:
    key = _key(settings, problems)
    if not settings.github_app_id and not key:
        return None
    if not settings.github_app_id:
        problems.append(_problem("APP_ID", "it is empty, and there is a private key"))
    if not key:
        if not problems:
            problems.append(_problem("PRIVATE_KEY", "it is empty, and there is an App"))
        return None
    try:
        load_key(key)
    except ValueError as error:
        problems.append(_problem("PRIVATE_KEY", str(error)))
    return App(id=settings.github_app_id, private_key=key)


def _key(settings: Settings, problems: list[Problem]) -> str:
    given, file = settings.github_private_key, settings.github_private_key_file
    if given and file:
        problems.append(
            _problem("PRIVATE_KEY_FILE", "CONDUCTOR_GITHUB_PRIVATE_KEY is set too: leave one of them out")
        )
    if given:
        return given.get_secret_value().replace("\\n", "\n")
    return _read(file, problems) if file else ""


def _read(file: Path, problems: list[Problem]) -> str:
    try:
        with file.open("rb") as content:
            return content.read(_LONGEST_KEY).decode()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        problems.append(_problem("PRIVATE_KEY_FILE", f"{file}: {said}"))
        return ""


def _problem(name: str, message: str) -> Problem:
    return Problem(file=f"environment variable CONDUCTOR_GITHUB_{name}", message=message)
