"""`ports.attestation.Attester` for any registry: the SBOM as an artifact of its own, signatures as cosign keeps them.

    image  <- subject -  SBOM (application/vnd.cyclonedx+json)  <- subject -  its signature
           <- subject -  signature, under cosign's tag `sha256-<hex>.sig` besides

Whoever may push to the image's path can attach something to it: a signature is what tells ours from theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from conductor.adapters.registries.distribution import CONFIG, Distribution, sha256
from conductor.adapters.registries.exchange import Exchange
from conductor.adapters.registries.referrers import EMPTY, Referrers
from conductor.adapters.registries.registry_config import Name, RegistryConfig, read_name
from conductor.adapters.registries.signing import Signer, payload_of
from conductor.adapters.registries.tokens import Tokens
from conductor.domain.attestation import Attestation, AttestationState
from conductor.errors import RefusedError, UnreachableError
from conductor.ports.attestation import SbomGenerator

SBOM = "application/vnd.cyclonedx+json"
SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTE = "dev.cosignproject.cosign/signature"
"""The annotation that a signature stands in."""
COMPONENTS = "dev.conductor.components"
_TITLE = "org.opencontainers.image.title"
_AT_ONCE = 2
"""So many SBOMs are made side by side."""


class RegistryAttester:
    """Attests images of one registry. `generator` is None where no SBOM is wanted, `signer` where nothing is signed."""

    def __init__(
        self,
        config: RegistryConfig,
        *,
        generator: SbomGenerator | None,
        signer: Signer | None,
    ) -> None:
        self._config = config
        self._exchange = Exchange(insecure=config.insecure, ca_file=config.ca_file)
        tokens = Tokens(self._exchange, config.push)
        self._distribution = Distribution(self._exchange, api=config.api, tokens=tokens)
        self._referrers = Referrers(self._distribution)
        self._generator = generator
        self._signer = signer
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def attest(self, image: str) -> Attestation:
        """Attach what is wanted and not there yet."""
        name, digest = read_name(image), image.rpartition("@")[2]
        if not self._config.owns(name):
            raise RefusedError(f"{image} is in another registry than the one that is set")
        sbom, components = await self._sbom(name, digest) if self._generator else ("", 0)
        signature = await self._signature(name, digest, self._signer) if self._signer else ""
        return Attestation(state=AttestationState.DONE, sbom=sbom, components=components, signature=signature)

    async def aclose(self) -> None:
        """Let go of its connections."""
        await self._exchange.aclose()

    async def _sbom(self, name: Name, digest: str) -> tuple[str, int]:
        """Return the SBOM's digest and how much it names; have it made where none is there to be believed."""
        for found in await self._referrers.of(name.path, digest, SBOM):
            known = str(found.get("digest"))
            if not self._signer or await self._is_signed(name, known, self._signer):
                return known, await self._count(name, known)
        async with self._slots:
            document = await self._generated(name, digest)
        components = _components(document)
        made = await self._attach_sbom(name, digest, document, components)
        if self._signer:
            await self._signature(name, made, self._signer)
        return made, components

    async def _generated(self, name: Name, digest: str) -> bytes:
        assert self._generator is not None, "asked only where SBOMs are wanted"  # noqa: S101 -- `attest` sees to it
        login = self._config.pull or self._config.push
        return await self._generator.sbom(f"{self._config.reference(name.path)}@{digest}", credentials=login)

    async def _attach_sbom(self, name: Name, digest: str, document: bytes, components: int) -> str:
        layer = await self._distribution.push_blob(name.path, document, SBOM)
        manifest = {
            "config": await self._distribution.push_blob(name.path, b"{}", EMPTY),
            "layers": [{**layer, "annotations": {_TITLE: "sbom.cdx.json"}}],
            "annotations": {COMPONENTS: str(components)},
        }
        return await self._referrers.attach(name.path, digest, manifest, kind=SBOM)

    async def _count(self, name: Name, digest: str) -> int:
        told = await self._distribution.manifest(name.path, digest) or {}
        count = str((told.get("annotations") or {}).get(COMPONENTS) or "")
        return int(count) if count.isascii() and count.isdecimal() else 0

    async def _signature(self, name: Name, digest: str, signer: Signer) -> str:
        """Return the digest of what holds our signature; it is added to those of others that stand there."""
        tag = _signature_tag(digest)
        standing = await self._distribution.manifest(name.path, tag)
        if self._is_among(standing, name, digest, signer):
            return await self._distribution.digest(name.path, tag) or ""
        payload = self._payload(name, digest)
        layer = await self._distribution.push_blob(name.path, payload, PAYLOAD)
        layers = [*_layers(standing), {**layer, "annotations": {NOTE: signer.sign(payload)}}]
        config = _signature_config([str(one["digest"]) for one in layers])
        manifest = {
            "config": await self._distribution.push_blob(name.path, config, CONFIG),
            "layers": layers,
        }
        return await self._referrers.attach(name.path, digest, manifest, kind=SIGNATURE, tag=tag)

    async def _is_signed(self, name: Name, digest: str, signer: Signer) -> bool:
        """Tell whether a signature of ours stands there, over just this artifact."""
        standing = await self._distribution.manifest(name.path, _signature_tag(digest))
        return self._is_among(standing, name, digest, signer)

    def _is_among(self, standing: Mapping[str, Any] | None, name: Name, digest: str, signer: Signer) -> bool:
        payload = self._payload(name, digest)
        ours = (one for one in _layers(standing) if one.get("digest") == sha256(payload))
        return any(signer.has_signed(payload, _note(one)) for one in ours)

    def _payload(self, name: Name, digest: str) -> bytes:
        """Write what is signed: Docker Hub's name is one with its host there."""
        path = self._config.reference(name.path)
        return payload_of(path if name.host else f"docker.io/{path}", digest)


def _signature_tag(digest: str) -> str:
    return f"{digest.replace(':', '-')}.sig"


def _layers(manifest: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return list((manifest or {}).get("layers") or ())


def _note(layer: Mapping[str, Any]) -> str:
    return str((layer.get("annotations") or {}).get(NOTE) or "")


def _signature_config(layers: list[str]) -> bytes:
    """Write the configuration that goes with signatures: an image's, since old tools take them for one."""
    rootfs = {"type": "layers", "diff_ids": layers}
    return json.dumps(
        {"architecture": "", "os": "", "config": {}, "rootfs": rootfs}, separators=(",", ":")
    ).encode()


def _components(document: bytes) -> int:
    """Count what an SBOM names. UnreachableError where it is none, or only a part of one."""
    try:
        told = json.loads(document)
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("bomFormat") != "CycloneDX":
        raise UnreachableError(
            f"what came as an SBOM ({len(document)} bytes) is no whole CycloneDX document",
            remedy="See what CONDUCTOR_SBOM_IMAGE prints for the image; a node may keep less of a log than it has.",
        )
    return len(told.get("components") or ())
