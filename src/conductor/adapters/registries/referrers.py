"""What is attached to an image: artifacts that name it as their subject.

A registry that has the referrers API keeps the list itself. For one that has not, the list is an index under the tag `sha256-<hex>`, which
whoever attaches something keeps up; two processes that do so in the same moment may lose an entry, never an artifact.

Source: OCI distribution specification 1.1, "Listing Referrers" and "Pushing Manifests with Subject".
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from conductor.adapters.registries.distribution import MANIFEST, Distribution, sha256

INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
Descriptor = Mapping[str, Any]


class Referrers:
    """Lists and attaches, in one registry."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, path: str, digest: str, kind: str) -> Sequence[Descriptor]:
        """List what is attached to an image and is of a type (`artifactType`)."""
        told = await self._distribution.referrers(path, digest)
        if told is None:
            told = await self._distribution.manifest(path, _tag(digest)) or {}
        return [one for one in told.get("manifests") or () if one.get("artifactType") == kind]

    async def attach(
        self, path: str, digest: str, manifest: Mapping[str, Any], *, kind: str, tag: str = ""
    ) -> str:
        """Push an artifact of that type with the image as its subject; return its digest."""
        subject = await self._distribution.descriptor(path, digest)
        whole = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            **manifest,
            "subject": subject,
        }
        content = json.dumps(whole, sort_keys=True).encode()
        made = {"mediaType": MANIFEST, "digest": sha256(content), "size": len(content)}
        if not await self._distribution.push_manifest(path, content, kind=MANIFEST, tag=tag):
            async with self._one_at_a_time[digest]:
                await self._note(path, digest, {**made, "artifactType": kind})
        return sha256(content)

    async def _note(self, path: str, digest: str, entry: Descriptor) -> None:
        """Add an entry to the index that stands for the list."""
        known = await self._distribution.manifest(path, _tag(digest)) or {}
        entries = [one for one in known.get("manifests") or () if one.get("digest") != entry["digest"]]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, entry]}
        content = json.dumps(index, sort_keys=True).encode()
        await self._distribution.push_manifest(path, content, kind=INDEX, tag=_tag(digest))


def _tag(digest: str) -> str:
    return digest.replace(":", "-")
