"""Signatures of images in cosign's format, with a key of one's own: what `cosign verify --key` and containers-policy.json check.

Source: sigstore/cosign, specs/SIGNATURE_SPEC.md (payload "simple signing", scheme ECDSA P-256 over SHA-256).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conductor.errors import UsageError

_TYPE = "cosign container image signature"
_REMEDY = "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sign.pem` makes one."


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with one key, and knows its own signatures."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, payload: bytes) -> str:
        """Return the signature of a payload, in base64."""
        return b64encode(self.key.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()

    def has_signed(self, payload: bytes, signature: str) -> bool:
        """Tell whether a signature is one of this key."""
        try:
            self.key.public_key().verify(b64decode(signature), payload, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


def payload_of(name: str, digest: str) -> bytes:
    """Write what is signed for `digest` under the name `HOST/PATH`.

    >>> json.loads(payload_of("registry.example.org/shop", "sha256:00"))["critical"]["image"]
    {'docker-manifest-digest': 'sha256:00'}
    """
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": _TYPE,
    }
    return json.dumps({"critical": critical, "optional": {}}, separators=(",", ":")).encode()


def read_signer(file: Path, password: str | None = None) -> Signer:
    """Read a private key (PEM). UsageError says what is wrong with it, and shows nothing of it."""
    try:
        key = load_pem_private_key(file.read_bytes(), password.encode() if password else None)
    except OSError as error:
        raise UsageError(
            f"the key for signing, {file}, cannot be read: {error.strerror}", remedy=_REMEDY
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(
            f"{file} is no private key in PEM format, or its password (CONDUCTOR_SIGN_KEY_PASSWORD) is another one",
            remedy=f"{_REMEDY} A key that cosign has encrypted in its own format cannot be used.",
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UsageError(f"{file} is no key for ECDSA on the curve P-256", remedy=_REMEDY)
    return Signer(key)
