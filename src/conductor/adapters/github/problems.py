"""What GitHub refuses, in our words: which permission is missing, what is not there, what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from conductor.domain.masking import Masker
from conductor.errors import ConductorError, NotFoundError, RefusedError, UnreachableError

_PERMISSIONS = "docs/howto/connect-github.md lists the permissions and the reason for each."


class Said(Protocol):
    """An answer, as far as it matters here."""

    @property
    def what(self) -> str:
        """The question."""
        ...

    @property
    def status(self) -> int:
        """Its status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        ...

    @property
    def body(self) -> bytes:
        """Its body."""
        ...


def is_limit(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell a limit, primary or secondary, from a refusal: both may be 403."""
    if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return False
    if status == HTTPStatus.TOO_MANY_REQUESTS or headers.get("Retry-After", "").isdecimal():
        return True
    return headers.get("X-RateLimit-Remaining") == "0" or b"secondary rate limit" in body.lower()


def refusal(answer: Said) -> ConductorError:
    """Make an error of an answer that is none of what was hoped for."""
    said = words(answer.body)
    about = f"{answer.what}: GitHub answered {answer.status}" + (f": {said}" if said else "")
    status = answer.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnreachableError(about, remedy="Nothing is lost: it is tried again. See githubstatus.com.")
    if status == HTTPStatus.UNAUTHORIZED:
        return RefusedError(
            about,
            remedy="GitHub takes neither App nor token: see CONDUCTOR_GITHUB_APP_ID, CONDUCTOR_GITHUB_PRIVATE_KEY and "
            "CONDUCTOR_GITHUB_TOKEN, whether they have ended, and whether this machine's clock is right.",
        )
    if status == HTTPStatus.FORBIDDEN:
        return RefusedError(about, remedy=_missing(answer))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFoundError(
            about, remedy="See whether it is there, and whether the App is installed for that repository."
        )
    if status in (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.FOUND):
        return NotFoundError(about, remedy="The repository was renamed or moved: use its new name.")
    return RefusedError(about, remedy="See what GitHub says, and that its version is a supported one.")


def unreachable(what: str, said: str) -> UnreachableError:
    """Say that there was no answer."""
    return UnreachableError(
        f"{what}: {said}",
        remedy="See whether CONDUCTOR_GITHUB_URL is right and can be reached from this machine.",
    )


def words(body: bytes) -> str:
    """Return what it says of a refusal, as one short line: untrusted."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return ""
    message = str(told.get("message", "")) if isinstance(told, dict) else ""
    return Masker()(" ".join(message.split())[:200])


def _missing(answer: Said) -> str:
    """Name the permission; GitHub tells it (`X-Accepted-GitHub-Permissions`: `issues=write; pull_requests=write`)."""
    accepted = answer.headers.get("X-Accepted-GitHub-Permissions", "")
    if not accepted:
        return f"Give the App or the token the permission for it. {_PERMISSIONS}"
    wanted = " or ".join(part.strip().replace("=", ": ") for part in accepted[:200].split(";"))
    return f"Give the App or the token the permission {wanted}, and accept it where the App is installed. {_PERMISSIONS}"
