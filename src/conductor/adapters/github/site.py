"""Which GitHub it is, and as whom it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PUBLIC = "https://github.com"
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """A GitHub App: its id (or client id) and its private key, in PEM."""

    id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubSite:
    """One GitHub. `app` or `token`: one of the two is set. `secrets` are what deliveries are signed with, two while they are rotated."""

    web: str = PUBLIC
    api: str = "https://api.github.com"
    app: App | None = None
    token: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        """The host that git asks."""
        return urlsplit(self.web).hostname or ""

    def location(self, repository: str) -> str:
        """Return the address that git understands."""
        return f"{self.web}/{repository}.git"

    def repository_at(self, location: str) -> str | None:
        """Name the repository at an address of git; None where it is another's.

        >>> GitHubSite().repository_at("https://github.com/acme/shop.git"), GitHubSite().repository_at("https://x.org/acme/shop")
        ('acme/shop', None)
        """
        base, address = urlsplit(self.web), urlsplit(location)
        if (address.scheme, address.netloc.lower()) != (base.scheme, base.netloc.lower()):
            return None
        name = address.path.removeprefix(base.path).strip("/").removesuffix(".git")
        return name if is_repository(name) else None


def is_repository(name: str) -> bool:
    """Tell whether it can be the name of a repository: it becomes part of paths.

    >>> is_repository("acme/shop.api"), is_repository("acme/.."), is_repository("acme/shop/x")
    (True, False, False)
    """
    return bool(_REPOSITORY.fullmatch(name)) and name.split("/")[1] not in (".", "..")


def api_of(web: str) -> str:
    """Work out where the REST interface is (docs.github.com, "Getting started with the REST API", for each product).

    >>> api_of("https://github.com"), api_of("https://git.example.org"), api_of("https://acme.ghe.com")
    ('https://api.github.com', 'https://git.example.org/api/v3', 'https://api.acme.ghe.com')
    """
    parts = urlsplit(web)
    host = parts.hostname or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{parts.scheme}://api.{host}"
    return f"{web.rstrip('/')}/api/v3"
