"""Names of images, from repository and image: unique, stable, valid on every registry.

Law: two different pairs of repository and image have two different names, whatever they contain, and the same name each time. The
letters are those that Docker Hub, Harbor and the OCI distribution specification all allow: `[a-z0-9]`, with single hyphens between
them; underscores join what slashes parted. A text that does not fit keeps what can be read of it and gets a digest of the whole.
"""

from __future__ import annotations

import hashlib
import re

CACHE = "layer-cache"
"""Where layers of builds are kept: no image is given this name."""
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGEST_DIGITS = 16
_LOOKS_MADE = re.compile(rf"(^|.*-)[0-9a-f]{{{_DIGEST_DIGITS}}}")
_LONGEST = 80
_KEY = re.compile(r"[0-9a-f]{32,64}")


def is_key(tag: str) -> bool:
    """Tell whether a tag is a content key: others are not ours to remove.

    >>> is_key("0123456789abcdef" * 2), is_key("v1.2")
    (True, False)
    """
    return bool(_KEY.fullmatch(tag))


def flat(text: str) -> str:
    """Make one word of any text, without underscores.

    >>> flat("backend"), flat("Backend")
    ('backend', 'backend-2fb4019a35e427e8')
    """
    return text if _fits(text) and text != CACHE else _made(text)


def joined(text: str) -> str:
    """Make one word of any text, with an underscore for each slash.

    >>> joined("acme/shop"), joined("tests/unit")
    ('acme_shop', 'tests_unit')
    >>> joined("acme_shop")
    'acme-shop-781b9349293c8428'
    """
    parts = text.split("/")
    fitting = len(text) <= _LONGEST and text != CACHE and all(_fits(part) for part in parts)
    return "_".join(parts) if fitting else _made(text)


def _fits(text: str) -> bool:
    """Tell whether it is a word as it stands; one that looks like a made one could be taken for another's."""
    return len(text) <= _LONGEST and bool(_PLAIN.fullmatch(text)) and not _LOOKS_MADE.fullmatch(text)


def _made(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower())[: _LONGEST - _DIGEST_DIGITS - 1].strip("-")
    return f"{readable}-{digest}" if readable else digest
