"""Any registry that speaks the OCI distribution API; the others are this and what their products add.

Nobody can make accounts through that API, and a tag has no date in it: a grant is the account of the settings, and nothing is pruned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from conductor.adapters.registries.distribution import Distribution
from conductor.adapters.registries.exchange import Exchange, Sleep
from conductor.adapters.registries.registry_config import Name, RegistryConfig, api_of, read_name
from conductor.adapters.registries.tokens import Tokens
from conductor.adapters.registries.trial import Trial, try_registry
from conductor.domain.scan import Scan, ScanState
from conductor.ports.engine import Diagnosis
from conductor.ports.registry import Credentials, PushGrant


class PlainRegistry:
    """A registry as the settings name it."""

    def __init__(
        self,
        config: RegistryConfig,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._config = config
        self._exchange = Exchange(insecure=config.insecure, ca_file=config.ca_file, sleep=sleep)
        self._own = self._as(config.push)

    def reference(self, repository: str, image: str, key: str) -> str:
        """Name the image of a key."""
        return self._config.reference(self._config.path(repository, image), key)

    def cache(self, repository: str) -> str:
        """Name where the layers of a repository's builds are kept."""
        return self._config.reference(self._config.cache_path(repository))

    def link(self, reference: str, digest: str) -> str:
        """Return the page of an image; empty for names of a registry that is set no longer."""
        return self._config.link(read_name(reference), digest)

    async def find(self, reference: str) -> str | None:
        """Return the digest; also where an earlier run has pushed to another registry, which is asked as anybody."""
        name = read_name(reference)
        if not self._config.owns(name):
            return await self._anybody(name).digest(name.path, name.tag or "latest")
        return await self._find(name)

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        """Give the account of the settings: it reaches every repository's images, so nothing of a build may run beside it."""
        del repository, build, life
        return PushGrant(credentials=self._config.push, narrow=False)

    async def revoke_push(self, build: str, *, repository: str = "") -> None:
        """Take nothing back: nothing was made."""
        del build, repository

    async def pull_credentials(self) -> Credentials | None:
        """Return the account for pulling; None where the settings name none."""
        return self._config.pull

    async def request_scan(self, reference: str, digest: str) -> None:
        """Ask nobody."""
        del reference, digest

    async def scan(self, reference: str, digest: str) -> Scan:
        """Say that nobody scans here."""
        del reference, digest
        return Scan(state=ScanState.NONE, message=f"a registry of type {self._config.type} scans nothing")

    async def prune(self, repository: str, *, keep: int, used: Collection[str] = ()) -> Sequence[str]:
        """Remove nothing: this API tells no dates."""
        del repository, keep, used
        return ()

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Log in, push a tiny image, find it, pull it as the account for pulling, delete it."""
        return await try_registry(self._trial())

    async def aclose(self) -> None:
        """Let go of its connections."""
        await self._exchange.aclose()

    def _trial(self) -> Trial:
        return Trial(
            config=self._config, own=self._own, pulling=self._as(self._config.pull), remove=self._remove
        )

    async def _find(self, name: Name) -> str | None:
        return await self._own.digest(name.path, name.tag or "latest")

    async def _remove(self, name: Name, digest: str) -> bool:
        """Delete an image; False where the registry deletes nothing."""
        return await self._own.delete(name.path, digest)

    def _as(self, login: Credentials | None) -> Distribution:
        return Distribution(self._exchange, api=self._config.api, tokens=Tokens(self._exchange, login))

    def _anybody(self, name: Name) -> Distribution:
        return Distribution(self._exchange, api=api_of(name), tokens=Tokens(self._exchange, None))
