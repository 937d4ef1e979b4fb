"""Masking: no value of a secret, and nothing that looks like a credential, leaves in a log, a report or an error."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
SHORTEST = 4
"""Shorter values are not masked: `1` or `yes` would take half of every log with them."""

_CREDENTIALS = re.compile(
    r"""
      \bgh[pousr]_[A-Za-z0-9]{30,}            # GitHub tokens
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bAKIA[0-9A-Z]{16}\b                    # AWS access keys
    | \bxox[abprs]-[A-Za-z0-9-]{10,}          # Slack
    | \bsk-[A-Za-z0-9_-]{20,}                 # OpenAI, Anthropic
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}   # JSON web tokens
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?<=://)[^\s/:@]+:[^\s/@]+(?=@)         # user:password in a URL
    """,
    re.VERBOSE | re.DOTALL,
)


class Masker:
    """Replaces values of secrets by `***`, in the forms in which they turn up: plain, base64, URL-quoted, line by line."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        return _CREDENTIALS.sub(MASK, text)


def _forms(value: str) -> Iterable[str]:
    pieces = {value, value.strip(), *(line.strip() for line in value.splitlines())}
    for piece in pieces:
        if len(piece) >= SHORTEST:
            yield piece
            yield quote(piece, safe="")
            yield base64.b64encode(piece.encode()).decode().rstrip("=")
