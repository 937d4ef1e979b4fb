"""Docker Hub: an organisation's images, its limits, old tags removed.

A token of Docker Hub reaches every repository that its owner does, so a grant is never narrow, and Conductor makes no tokens. It scans
nothing for us: its own findings (Docker Scout) are behind another API and another subscription.

Source: https://docs.docker.com/reference/api/hub/latest/; `POST /v2/auth/token` takes personal and organisation access tokens alike.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from conductor.adapters.registries.exchange import Answer, Exchange, Sleep
from conductor.adapters.registries.naming import is_key
from conductor.adapters.registries.plain import PlainRegistry
from conductor.adapters.registries.registry_config import Name, RegistryConfig
from conductor.adapters.registries.tokens import refusal
from conductor.errors import RefusedError, UnreachableError
from conductor.ports.registry import Credentials

_PAGE = 100
_MOST_PAGES = 200
_TOKEN_SECONDS = 300.0
"""A token lives about ten minutes."""
_REMEDY_OF_LOGIN = "Make an access token (read, write, delete), and name its account or organisation in CONDUCTOR_REGISTRY_USER."
_REMEDY_OF_DELETING = "Give the access token the right to delete."


class DockerHubRegistry(PlainRegistry):
    """Docker Hub, with the organisation that the settings name."""

    def __init__(self, config: RegistryConfig, *, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(config, sleep=sleep)
        self._hub = HubApi(self._exchange, config.management, config.push)

    async def prune(self, repository: str, *, keep: int, used: Collection[str] = ()) -> Sequence[str]:
        """Remove the oldest tags of each image beyond so many."""
        removed: list[str] = []
        async for name in self._hub.repositories(self._config.project):
            path = f"{self._config.project}/{name}"
            if self._config.is_image_of(path, repository):
                removed += await self._prune_image(path, keep, used)
        return removed

    async def _prune_image(self, path: str, keep: int, used: Collection[str]) -> Sequence[str]:
        tags = [one async for one in self._hub.tags(path) if is_key(str(one["name"]))]
        tags.sort(key=_pushed, reverse=True)
        old = [str(one["name"]) for one in tags[keep:] if _digests(one).isdisjoint(used)]
        for name in old:
            await self._hub.delete_tag(path, name)
        return [self._config.reference(path, name) for name in old]

    async def _find(self, name: Name) -> str | None:
        """Find an image. A repository that is not there yet is refused by the registry as a private one is: the hub tells them apart."""
        try:
            return await super()._find(name)
        except RefusedError:
            if await self._hub.has_repository(name.path):
                raise
            return None

    async def _remove(self, name: Name, digest: str) -> bool:
        del digest
        await self._hub.delete_tag(name.path, name.tag)
        return True


class HubApi:
    """The API of hub.docker.com, asked as one account."""

    def __init__(
        self, exchange: Exchange, url: str, login: Credentials | None, *, login_url: str = ""
    ) -> None:
        self._exchange = exchange
        self._url = url
        self._login_url = login_url or url
        self._login = login
        self._token, self._until = "", 0.0

    async def has_repository(self, path: str) -> bool:
        """Tell whether a repository is there, and seen by this account."""
        answer = await self._ask("GET", f"{_repository(path)}/tags", {"page": "1", "page_size": "1"})
        if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
            raise refusal(f"looking for {path}", answer, remedy=_REMEDY_OF_LOGIN)
        return answer.ok

    async def repositories(self, namespace: str) -> AsyncIterator[str]:
        """Yield the names of a namespace's repositories."""
        where = f"/v2/namespaces/{quote(namespace, safe='')}/repositories"
        async for told in self._pages(where, f"listing the repositories of {namespace}"):
            yield str(told.get("name", ""))

    async def tags(self, path: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the tags of a repository."""
        async for told in self._pages(f"{_repository(path)}/tags", f"listing the tags of {path}"):
            yield told

    async def delete_tag(self, path: str, tag: str) -> None:
        """Remove a tag; one that is gone is no error."""
        namespace, _, name = path.partition("/")
        where = (
            f"/v2/repositories/{quote(namespace, safe='')}/{quote(name, safe='')}/tags/{quote(tag, safe='')}/"
        )
        answer = await self._ask("DELETE", where)
        if answer.status != HTTPStatus.NOT_FOUND and not answer.ok:
            raise refusal(f"deleting {path}:{tag}", answer, remedy=_REMEDY_OF_DELETING)

    async def _pages(self, where: str, doing: str) -> AsyncIterator[Mapping[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            answer = await self._ask("GET", where, {"page": str(page), "page_size": str(_PAGE)})
            if answer.status == HTTPStatus.NOT_FOUND:
                return
            if not answer.ok:
                raise refusal(doing, answer, remedy=_REMEDY_OF_LOGIN)
            told = answer.json()
            for one in told.get("results") or ():
                yield one
            if not told.get("next"):
                return

    async def _ask(self, method: str, where: str, params: Mapping[str, str] | None = None) -> Answer:
        url = self._url + where
        answer = await self._exchange.ask(method, url, headers=await self._header(), params=params)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._token:
            self._until = 0.0
            answer = await self._exchange.ask(method, url, headers=await self._header(), params=params)
        return answer

    async def _header(self) -> dict[str, str]:
        if self._login is None:
            return {}
        if time.monotonic() >= self._until:
            self._token = await self._log_in(self._login)
            self._until = time.monotonic() + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}

    async def _log_in(self, login: Credentials) -> str:
        told = json.dumps({"identifier": login.username, "secret": login.password}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = await self._exchange.ask(
            "POST", f"{self._login_url}/v2/auth/token", headers=headers, content=told
        )
        if not answer.ok:
            raise refusal("logging in at Docker Hub", answer, remedy=_REMEDY_OF_LOGIN)
        token = answer.json().get("access_token")
        if not isinstance(token, str) or not token:
            raise UnreachableError("Docker Hub gave no token", remedy=_REMEDY_OF_LOGIN)
        return token


def _repository(path: str) -> str:
    namespace, _, name = path.partition("/")
    return f"/v2/namespaces/{quote(namespace, safe='')}/repositories/{quote(name, safe='')}"


def _pushed(tag: Mapping[str, Any]) -> str:
    return str(tag.get("tag_last_pushed") or tag.get("last_updated") or "")


def _digests(tag: Mapping[str, Any]) -> set[str]:
    """Return the digests under a tag. Its `images` are a list, whatever the description says."""
    images = tag.get("images")
    each = [one for one in images if isinstance(one, Mapping)] if isinstance(images, list) else []
    return {str(one.get("digest")) for one in (tag, *each)}
