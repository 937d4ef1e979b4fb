"""Masking: no value of a secret, and nothing that looks like a credential, leaves in a log, a report or an error.

Law: in masked text no character is left of any occurrence of a value, in any of the forms of `_forms`, also where occurrences overlap.
Time grows with the length of the text, whatever it is.

What it cannot do: find a value that a program split over several lines (each line of a value with line ends is found), compressed,
encrypted, or encoded twice other than by JSON in JSON; and values shorter than `SHORTEST`.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""Shorter values are not masked: `1` or `yes` would take half of every log with them."""

_CREDENTIALS = re.compile(
    r"""
      gh[pousr]_[A-Za-z0-9]{30,}            # GitHub tokens
    | github_pat_[A-Za-z0-9_]{30,}
    | glpat-[A-Za-z0-9_-]{20,}              # GitLab
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b           # AWS access keys
    | \bAIza[0-9A-Za-z_-]{35}                 # Google
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}        # Slack
    | \b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}  # Stripe
    | \bnpm_[A-Za-z0-9]{36}
    | dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}   # Docker Hub
    | (?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}   # OpenAI, Anthropic
    | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}   # JSON web tokens
    | -----BEGIN[ ][A-Z ]{0,40}PRIVATE[ ]KEY-----(?:(?!-----END).){0,20000}(?:-----END[ ][A-Z ]{0,40}PRIVATE[ ]KEY-----)?
    | (?<=://)[^\s/:@]{0,200}:[^\s/@]{1,2000}(?=@)         # user:password in a URL
    | \b(?i:authorization["']?\s{0,5}[:=]\s{0,5}["']?(?:bearer|basic|token)\s{1,5})(?P<value>[A-Za-z0-9._~+/=-]{8,})
    """,
    re.VERBOSE | re.DOTALL,
)

_Span = tuple[int, int]


class Masker:
    """Replaces values of secrets by `***`, in every form in which they turn up, and what looks like a credential."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms = tuple(sorted({form for value in values for form in _forms(value)}))

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        spans = sorted([*self._found(text), *_credentials(text)])
        return _without(text, spans) if spans else text

    def __repr__(self) -> str:
        return f"Masker(<{len(self._forms)} forms>)"

    def _found(self, text: str) -> Iterator[_Span]:
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                yield at, at + len(form)
                at = text.find(form, at + 1)


def _credentials(text: str) -> Iterator[_Span]:
    for match in _CREDENTIALS.finditer(text):
        yield match.span("value") if match["value"] else match.span()


def _without(text: str, spans: Iterable[_Span]) -> str:
    """Put one mask in the place of each stretch that ascending spans cover together."""
    pieces: list[str] = []
    covered = 0
    for start, end in spans:
        if start > covered or not pieces:
            pieces += (text[covered:start], MASK)
        covered = max(covered, end)
    return "".join([*pieces, text[covered:]])


def _forms(value: str) -> Iterator[str]:
    """Yield what a value looks like where programs print it: whole and line by line, plain, quoted and encoded."""
    for piece in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        if len(piece.strip()) >= SHORTEST:
            yield from (form for form in (*_quoted(piece), *_encoded(piece)) if len(form) >= SHORTEST)


def _quoted(piece: str) -> Iterator[str]:
    """Yield it as JSON, Python, HTML, URLs and shells write it, without the quotes around it."""
    yield piece
    yield repr(piece)[1:-1]
    for ascii_only in (True, False):
        as_json = json.dumps(piece, ensure_ascii=ascii_only)[1:-1]
        yield from (as_json, as_json.replace("/", "\\/"), json.dumps(as_json, ensure_ascii=ascii_only)[1:-1])
    yield from (
        html.escape(piece, quote=False),
        html.escape(piece),
        html.escape(piece).replace("&#x27;", "&#39;"),
    )
    for quoted in (
        quote(piece, safe="", errors="replace"),
        quote(piece, errors="replace"),
        quote_plus(piece, errors="replace"),
    ):
        yield from (quoted, re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), quoted))
    yield from (piece.replace("'", "'\"'\"'"), piece.replace("'", "'\\''"))
    yield re.sub(r'([\\"$`])', r"\\\1", piece)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", piece)


def _encoded(piece: str) -> Iterator[str]:
    """Yield hex, and base64 both plain and as part of something longer: three ways to stand among its groups of three bytes."""
    data = piece.encode(errors="replace")
    yield from (data.hex(), data.hex().upper())
    whole = base64.b64encode(data).decode().rstrip("=")
    parts = [_part_of_base64(data, before) for before in range(3)]
    for form in (whole, *parts):
        yield from (form, form.replace("+", "-").replace("/", "_"))


def _part_of_base64(data: bytes, before: int) -> str:
    """Encode with `before` unknown bytes in front, and keep the characters that depend on the data alone."""
    characters = base64.b64encode(bytes(before) + data).decode()
    return characters[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
