"""Text that is not ours, put into GitHub's Markdown so that it stays text.

Law: whatever the text is, it makes no mention, no reference to an issue, no link, no HTML, no heading and no table cell, it leaves its
code span or block nowhere, and it holds no HTML comment (Conductor finds its own comments by one). GitHub looks for mentions and
references after Markdown, in all text but code: so others' words are code, and where they cannot be, an invisible character parts what
would be found. Sources: GitHub Flavored Markdown, sections 4.5, 6.3 and 6.9; GitHub Docs, "Autolinked references and URLs".
"""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from conductor.reports.readable import clean, on_one_line

_PART = "\u2060"
"""Word joiner: invisible, and no part of a name, a number or an address."""

_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")
"""What means something inside a line; what does so only at its beginning never stands there."""
_FOUND_BY_GITHUB = re.compile(r"(?<=[@#])|(?i:(?<=\bgh)(?=-)|(?<=\bwww)(?=\.)|(?=://))")
_TICKS = re.compile("`+")
_ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def code(text: str) -> str:
    """Make a code span of one line.

    >>> code("a*b"), code("`x`")
    ('`a*b`', '`` `x` ``')
    """
    line = _without_comments(on_one_line(text)) or " "
    fence = "`" * (_longest_ticks(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def cell(text: str) -> str:
    """Make a code span for a table.

    A bar becomes another character: GitHub splits a row before it looks for code, and a backslash before the bar undoes an escape.
    """
    return code(text.replace("|", "│"))


def block(text: str) -> str:
    """Make a fenced code block, ending with its fence."""
    body = _without_comments(clean(text)).strip("\n")
    fence = "`" * max(_longest_ticks(body) + 1, 3)
    return f"{fence}text\n{body}\n{fence}"


def prose(text: str) -> str:
    """Make one line of plain words, where code would read badly."""
    line = _SPECIAL.sub(r"\\\1", _without_comments(on_one_line(text)))
    return html.escape(_FOUND_BY_GITHUB.sub(_PART, line), quote=False)


def in_html(text: str) -> str:
    """Make the content of an HTML element on one line: a summary is no place for Markdown."""
    return f"<code>{html.escape(_without_comments(on_one_line(text)))}</code>"


def link(name: str, target: str) -> str:
    """Make a link of an address, and code of anything else, such as a command."""
    if not _ADDRESS.match(target):
        return f"{prose(name)}: {code(target)}"
    return f"[{prose(name)}](<{quote(on_one_line(target), safe=_IN_ADDRESSES)}>)"


_IN_ADDRESSES = ":/?#[]@!$&'*+,;=%~-._"


def _longest_ticks(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def _without_comments(text: str) -> str:
    """Part what would open or close an HTML comment, so that nobody can forge the mark of Conductor's own."""
    return text.replace("<!--", "<! --").replace("-->", "-- >")
