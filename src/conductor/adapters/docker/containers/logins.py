"""Who we are to a registry: what `docker login` or `podman login` left in the user's own files. Docker's API wants it with each pull.

Credential helpers are not asked: with one of those, pull the image beforehand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

DOCKER_HUB = "https://index.docker.io/v1/"


def registry_of(image: str) -> str:
    """Return the key under which logins name an image's registry.

    >>> registry_of("redis:7"), registry_of("acme/shop"), registry_of("ghcr.io/acme/shop:1")
    ('https://index.docker.io/v1/', 'https://index.docker.io/v1/', 'ghcr.io')
    """
    first, slash, _ = image.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if named and first != "docker.io" else DOCKER_HUB


def find_login(image: str, files: list[Path] | None = None) -> dict[str, str] | None:
    """Return `{"auth": ...}` for the image's registry, or None where nobody has logged in."""
    registry = registry_of(image)
    for file in files if files is not None else list(_login_files()):
        try:
            logins = json.loads(file.read_text(encoding="utf-8")).get("auths") or {}
        except (OSError, ValueError, AttributeError):
            continue
        for name in (registry, f"https://{registry}", "docker.io" if registry == DOCKER_HUB else registry):
            if (logins.get(name) or {}).get("auth"):
                return {"auth": logins[name]["auth"]}
    return None


def _login_files() -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    if "REGISTRY_AUTH_FILE" in os.environ:
        yield Path(os.environ["REGISTRY_AUTH_FILE"])
    yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
