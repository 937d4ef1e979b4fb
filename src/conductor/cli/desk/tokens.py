"""Tokens of servers, one file each, which only their user may read; `CONDUCTOR_TOKEN` goes before them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from conductor.errors import StateError, UsageError

_SECURE = "https"


def address_of(server: str) -> str:
    """Return a server's address as it is kept: scheme, host and path, no slash at the end. UsageError where it is none.

    >>> address_of("https://Conductor.example.org/")
    'https://conductor.example.org'
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", _SECURE) or not parts.hostname or parts.query or parts.username:
        raise UsageError(
            f"{server!r} is no address of a server", remedy="Write https://HOST or http://HOST:PORT."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def find(server: str) -> str | None:
    """Return the token for a server; None where nobody has logged in."""
    if given := os.environ.get("CONDUCTOR_TOKEN"):
        return given
    try:
        kept = json.loads(_file(server).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateError(
            f"{_file(server)} cannot be read: {error}", remedy=f"`conductor login {server}` writes it anew."
        ) from error
    return str(kept["token"]) if kept.get("server") == server else None


def keep(server: str, token: str) -> Path:
    """Keep a token, readable by its user alone from the first moment on; returns the file."""
    file = _file(server)
    fresh = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump({"server": server, "token": token}, out)
        fresh.replace(file)
    except OSError as error:
        raise StateError(
            f"{file} cannot be written: {error.strerror}", remedy="Set CONDUCTOR_TOKEN instead."
        ) from error
    return file


def forget(server: str) -> bool:
    """Remove it; False where there was none."""
    try:
        _file(server).unlink()
    except FileNotFoundError:
        return False
    return True


def _file(server: str) -> Path:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "conductor" / "servers"
    host = "".join(letter if letter.isalnum() else "-" for letter in urlsplit(server).netloc)
    return folder / f"{host}-{hashlib.sha256(server.encode()).hexdigest()[:8]}.json"
