"""The OCI distribution API: what every registry speaks.

Law: absence and refusal are told apart. `None` is returned only where the registry itself says that it has no such thing; a 404 of
something else at that address is not that.

Source: OCI distribution specification 1.1; Docker Hub's limits: https://docs.docker.com/docker-hub/usage/pulls/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

from conductor.adapters.registries.exchange import Answer, Exchange, limit_words, place, same_server
from conductor.adapters.registries.tokens import Tokens, refusal
from conductor.errors import RefusedError, UnreachableError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_KINDS = (
    MANIFEST,
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPTED = ", ".join(_KINDS)
_ABSENT = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"})
"""`NOT_FOUND` is Harbor's."""
_NO_DELETING = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_NO_REFERRERS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_MOST_PAGES = 1000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Distribution:
    """Speaks to one registry as one user."""

    def __init__(self, exchange: Exchange, *, api: str, tokens: Tokens) -> None:
        self._exchange = exchange
        self._api = api
        self._tokens = tokens
        self.limit = ""
        """How many pulls are left, in words, as the last answer told."""

    async def check_login(self) -> None:
        """See that the registry lets us in."""
        answer = await self._ask("GET", "/v2/", scope="")
        if not answer.ok:
            raise refusal("logging in", answer)

    async def digest(self, path: str, reference: str) -> str | None:
        """Return the digest of what is there under a tag or digest; None where the registry says that there is nothing."""
        where = f"/v2/{path}/manifests/{reference}"
        answer = await self._ask("HEAD", where, scope=_pull(path), headers={"Accept": ACCEPTED})
        told = answer.headers.get("Docker-Content-Digest", "")
        if answer.ok and _DIGEST.fullmatch(told):
            return told
        if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
            raise refusal(f"looking for {path}:{reference}", answer)
        whole = await self._ask("GET", where, scope=_pull(path), headers={"Accept": ACCEPTED})
        if whole.ok:
            return sha256(whole.body)
        _must_be_absent(whole, f"looking for {path}:{reference}")
        return None

    async def manifest(self, path: str, reference: str) -> Mapping[str, Any] | None:
        """Return what is there under a tag or digest."""
        where = f"/v2/{path}/manifests/{reference}"
        answer = await self._ask("GET", where, scope=_pull(path), headers={"Accept": ACCEPTED})
        if answer.ok:
            told: Mapping[str, Any] = answer.json()
            return told
        _must_be_absent(answer, f"reading {path}:{reference}")
        return None

    async def blob(self, path: str, digest: str) -> bytes | None:
        """Return a blob, wherever the registry keeps it. UnreachableError where it is not what its digest says."""
        url = f"{self._api}/v2/{path}/blobs/{digest}"
        said = self._tokens.header(_pull(path))
        answer = await self._exchange.follow(url, headers=said)
        if answer.status == HTTPStatus.UNAUTHORIZED and await self._tokens.meet(
            answer, _pull(path), said=bool(said)
        ):
            answer = await self._exchange.follow(url, headers=self._tokens.header(_pull(path)))
        if not answer.ok:
            _must_be_absent(answer, f"reading a blob of {path}")
            return None
        if sha256(answer.body) != digest:
            raise UnreachableError(f"{place(url)} is not what its digest says")
        return answer.body

    async def tags(self, path: str) -> AsyncIterator[str]:
        """Yield every tag, page by page."""
        url = f"/v2/{path}/tags/list?n=100"
        for _ in range(_MOST_PAGES):
            answer = await self._ask("GET", url, scope=_pull(path))
            if not answer.ok:
                _must_be_absent(answer, f"listing the tags of {path}")
                return
            for tag in answer.json().get("tags") or ():
                yield str(tag)
            following = _NEXT.search(answer.headers.get("Link", ""))
            if not following:
                return
            url = self._own(urljoin(answer.url, following[1]))

    async def push(self, path: str, tag: str, *, layer: bytes, config: Mapping[str, Any]) -> str:
        """Push an image of one layer; return its digest."""
        written = json.dumps(config, sort_keys=True).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": await self.push_blob(path, written, CONFIG),
            "layers": [await self.push_blob(path, layer, LAYER)],
        }
        content = json.dumps(manifest, sort_keys=True).encode()
        await self.push_manifest(path, content, kind=MANIFEST, tag=tag)
        return sha256(content)

    async def push_manifest(self, path: str, content: bytes, *, kind: str, tag: str = "") -> bool:
        """Push a manifest or an index whose parts are there, under a tag or only its digest.

        Returns whether the registry lists it among what refers to its subject: one that knows no referrers does not.
        """
        reference = tag or sha256(content)
        where, headers = f"/v2/{path}/manifests/{reference}", {"Content-Type": kind}
        answer = await self._ask("PUT", where, scope=_push(path), headers=headers, content=content)
        if not answer.ok:
            raise refusal(f"pushing {path}:{reference}", answer)
        return bool(answer.headers.get("OCI-Subject"))

    async def referrers(self, path: str, digest: str) -> Mapping[str, Any] | None:
        """Return the index of what refers to a manifest; None where the registry keeps none."""
        answer = await self._ask("GET", f"/v2/{path}/referrers/{digest}", scope=_pull(path))
        if answer.status in _NO_REFERRERS:
            return None
        if not answer.ok:
            raise refusal(f"listing what is attached to {path}@{digest}", answer)
        told: Mapping[str, Any] = answer.json()
        return told

    async def descriptor(self, path: str, digest: str) -> Mapping[str, object]:
        """Describe a manifest as others refer to it. UnreachableError where it is gone."""
        where = f"/v2/{path}/manifests/{digest}"
        answer = await self._ask("GET", where, scope=_pull(path), headers={"Accept": ACCEPTED})
        if not answer.ok:
            _must_be_absent(answer, f"reading {path}@{digest}")
            raise UnreachableError(f"the registry has no {path}@{digest} any more")
        kind = answer.headers.get("Content-Type", MANIFEST).partition(";")[0]
        return {"mediaType": kind, "digest": digest, "size": len(answer.body)}

    async def may_push(self, path: str) -> bool:
        """Tell whether an upload would be taken; the one that is begun is cancelled."""
        try:
            answer = await self._ask("POST", f"/v2/{path}/blobs/uploads/", scope=_push(path))
        except RefusedError:
            return False
        if not answer.ok:
            return False
        begun = self._own(urljoin(answer.url, answer.headers.get("Location", "")))
        await self._ask("DELETE", begun, scope=_push(path))
        return True

    async def delete(self, path: str, digest: str) -> bool:
        """Delete an image by its digest; False where the registry deletes nothing. What is gone is no error."""
        answer = await self._ask("DELETE", f"/v2/{path}/manifests/{digest}", scope=_delete(path))
        if answer.status in _NO_DELETING:
            return False
        if not answer.ok:
            _must_be_absent(answer, f"deleting {path}@{digest}")
        return True

    async def push_blob(self, path: str, content: bytes, kind: str) -> dict[str, object]:
        """Push a blob that is not there yet; return its descriptor."""
        digest = sha256(content)
        there = await self._ask("HEAD", f"/v2/{path}/blobs/{digest}", scope=_push(path))
        if not there.ok:
            await self._upload(path, content, digest)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    async def _upload(self, path: str, content: bytes, digest: str) -> None:
        begun = await self._ask("POST", f"/v2/{path}/blobs/uploads/", scope=_push(path))
        if begun.status != HTTPStatus.ACCEPTED:
            raise refusal(f"pushing to {path}", begun)
        to = self._own(urljoin(begun.url, begun.headers.get("Location", "")))
        put = await self._ask(
            "PUT",
            f"{to}{'&' if '?' in to else '?'}digest={digest}",
            scope=_push(path),
            headers={"Content-Type": "application/octet-stream"},
            content=content,
        )
        if not put.ok:
            raise refusal(f"pushing to {path}", put)

    async def _ask(
        self,
        method: str,
        where: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Ask as who we are; where that has to be said first, say it and ask again."""
        url = urljoin(self._api, where)
        for _ in range(2):
            said = {**(headers or {}), **self._tokens.header(scope)}
            answer = await self._exchange.ask(method, url, headers=said, content=content)
            self.limit = limit_words(answer.headers) or self.limit
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            if not await self._tokens.meet(answer, scope, said="Authorization" in said):
                return answer
        return await self._exchange.ask(
            method, url, headers={**(headers or {}), **self._tokens.header(scope)}, content=content
        )

    def _own(self, url: str) -> str:
        """Let no answer lead our credentials and images elsewhere."""
        if not same_server(url, self._api):
            raise UnreachableError(
                f"{place(self._api)} leads to {place(url)}, another server",
                remedy="Let the registry answer with relative addresses, or with its outer one (`externalURL`, `http.host`).",
            )
        return url


def sha256(content: bytes) -> str:
    """Return the digest of some bytes.

    >>> sha256(b"")[:20]
    'sha256:e3b0c44298fc1'
    """
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _must_be_absent(answer: Answer, doing: str) -> None:
    if answer.status != HTTPStatus.NOT_FOUND:
        raise refusal(doing, answer)
    if not answer.codes() & _ABSENT:
        raise UnreachableError(
            f"{doing}: {place(answer.url)} answered 404, and not as a registry does",
            remedy="See whether CONDUCTOR_REGISTRY_URL names the registry itself, and no other server before it.",
        )


def _pull(path: str) -> str:
    return f"repository:{path}:pull"


def _push(path: str) -> str:
    return f"repository:{path}:pull,push"


def _delete(path: str) -> str:
    return f"repository:{path}:delete"
