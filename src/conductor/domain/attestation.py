"""What is left beside an image in the registry: what it consists of, and who vouches for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AttestationState(StrEnum):
    """How far it is."""

    PENDING = "pending"
    """It is to be made."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attestation:
    """SBOM and signature of one image. Which of them are made is the installation's choice."""

    state: AttestationState
    sbom: str = ""
    """Digest of the artifact that holds the SBOM; empty where none is made."""
    components: int = 0
    """How many components the SBOM names."""
    signature: str = ""
    """Digest of the artifact that holds the image's signature; empty where none is made."""
    message: str = ""
    """Why it failed."""
