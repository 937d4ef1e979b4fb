"""The registry: where images go and come from."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from conductor.domain.scan import Scan
from conductor.ports.engine import Diagnosis


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A user of one registry."""

    server: str
    """The key under which a Docker configuration file has them: a host, with its port, or Docker Hub's own address."""
    username: str
    password: str = field(repr=False)

    def docker_config(self) -> Mapping[str, object]:
        """Return what a Docker configuration file says of them: holds the password, so it goes into Secrets only."""
        told = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {"auths": {self.server: {"auth": told}}}


@dataclass(frozen=True, kw_only=True, slots=True)
class PushGrant:
    """What lets one build push."""

    credentials: Credentials | None
    """None where the registry asks nobody who he is."""
    narrow: bool
    """They reach this repository's path and cache only, so its code may see them. Otherwise nothing of it may run beside them."""


class Registry(Protocol):
    """One registry, as the settings name it.

    Laws. Names are worked out from repository, image and content key, never looked up: what was pushed under a key is the image of that
    content. Absence and refusal are told apart: `find` returns None only where the registry says that it has no such image; limits of rate
    (429) raise `UnreachableError(retryable)` after the waits that the registry asks for, refusals raise `RefusedError` with the remedy.
    No error, log line or `repr` holds a credential.
    """

    def reference(self, repository: str, image: str, key: str) -> str:
        """Name the image of a key: `HOST/PATH/shop/backend:KEY`, fit for `FROM` and for pods."""
        ...

    def cache(self, repository: str) -> str:
        """Name where the layers of a repository's builds are kept, without a tag."""
        ...

    def link(self, reference: str, digest: str) -> str:
        """Return the page of an image for people; empty where the registry has none, and for a name that another registry had given."""
        ...

    async def find(self, reference: str) -> str | None:
        """Return the digest (`sha256:...`) of what is there under a name, or None."""
        ...

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        """Let a build push to its repository's images and cache, for that long; the project is made where it is missing.

        `build` names the grant, so that it can be asked for again after a crash, and taken back by whoever finds it. What was granted
        before under the same name is good no longer.
        """
        ...

    async def revoke_push(self, build: str, *, repository: str = "") -> None:
        """Take a grant back; one that is gone is no error. Without the repository every place is looked at where grants can be."""
        ...

    async def pull_credentials(self) -> Credentials | None:
        """Return who may pull and nothing else; None where nobody is asked."""
        ...

    async def request_scan(self, reference: str, digest: str) -> None:
        """Have it scanned, unless it is being scanned or has been. Nothing happens where nobody scans: `scan` says so."""
        ...

    async def scan(self, reference: str, digest: str) -> Scan:
        """Return how far the scan is, and what it found."""
        ...

    async def prune(self, repository: str, *, keep: int, used: Collection[str] = ()) -> Sequence[str]:
        """Remove the oldest test images of a repository beyond so many per image; return the references that went.

        `used` are digests that something still runs on: they stay, however old they are.
        """
        ...

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Log in, push a tiny image, find it, delete it: one line of `doctor` for each, the first failure with its remedy."""
        ...

    async def aclose(self) -> None:
        """Let go of its connections."""
        ...
