"""Attestation: the SBOM and the signature of an image, beside it in its registry."""

from __future__ import annotations

from typing import Protocol

from conductor.domain.attestation import Attestation
from conductor.ports.registry import Credentials


class SbomGenerator(Protocol):
    """Has a well-kept tool look into an image, on the engine."""

    async def sbom(self, image: str, *, credentials: Credentials | None) -> bytes:
        """Return the CycloneDX document (JSON) of `NAME@sha256:...`, as the registry has it.

        `credentials` are who may pull; nothing of the image is run beside them. RunError where the tool fails or says something else.
        """
        ...


class Attester(Protocol):
    """Leaves SBOM and signature beside an image, as the installation wants them.

    Laws. Repeated, it finds what it made: nothing is attached twice. With a key, no SBOM is believed that it did not sign itself.
    """

    async def attest(self, image: str) -> Attestation:
        """Do so for `NAME[:TAG]@sha256:...`; return what is there. Raises ConductorError where it cannot be done."""
        ...
