"""Where a repository is: a folder on this machine, or a URL; pure but for a look at the folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from conductor.errors import NotFoundError, RefusedError

_SCP = re.compile(r"[^/]+@[^/:]+:|[A-Za-z0-9.-]+:(?!/)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|:)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """`folder` is set for a place on this machine, `url` for any other. `text` is what is recorded."""

    text: str
    folder: Path | None = None
    url: str = ""


def located(location: str) -> Location:
    """Tell a folder from a URL. RefusedError for what Conductor does not speak, NotFoundError for a folder that is not there."""
    if location.startswith("file://"):
        return _folder(urlsplit(location).path)
    if location.startswith("https://"):
        return _url(location)
    if not Path(location).exists() and (_SCHEME.match(location) or _SCP.match(location)):
        raise RefusedError(
            f"cloning {_without_password(location)!r}: Conductor reads repositories over https or from a folder",
            remedy="Give the https address, or clone it yourself and give the folder.",
        )
    return _folder(location)


def _url(location: str) -> Location:
    parts = urlsplit(location)
    if parts.username is not None or parts.password is not None:
        raise RefusedError(
            f"cloning {_without_password(location)}: an address with credentials would be recorded with the run",
            remedy="Give the address without them, and the token as CONDUCTOR_GIT_TOKEN.",
        )
    if not parts.hostname or any(ord(character) < 33 for character in location):  # noqa: PLR2004 -- blanks and controls
        raise NotFoundError(
            f"{location!r} is no address of a repository", remedy="Give it as https://HOST/OWNER/NAME."
        )
    return Location(text=location, url=location)


def _folder(location: str) -> Location:
    folder = Path(location).expanduser()
    if "\0" in location or not folder.is_dir():
        raise NotFoundError(
            f"there is no folder {location!r}", remedy="Give the folder of a repository, or an https address."
        )
    folder = folder.resolve()
    return Location(text=str(folder), folder=folder)


def _without_password(location: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", location)
