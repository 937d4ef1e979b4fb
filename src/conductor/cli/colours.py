"""What containers wrote, made fit for a terminal.

Law: nothing of it steers the terminal but colours (SGR), and those only where they are asked for; they end where the line ends.
"""

from __future__ import annotations

import re

from conductor.reports.readable import clean

_SGR = re.compile(r"(\x1b\[[0-9;:]*m)")
_TAB = 4
_END = "\x1b[0m"


def log_text(text: str, *, coloured: bool = False) -> str:
    r"""Make one line of a log readable: of what a carriage return wrote over, only the last is shown.

    >>> log_text("10%\r\x1b[31mred\x1b[2J\x1b]0;title\x07"), log_text("\x1b[31mred\x1b[2J", coloured=True)
    ('red', '\x1b[31mred\x1b[0m')
    """
    shown = text.rstrip("\r").rpartition("\r")[2].expandtabs(_TAB)
    if not coloured or not _SGR.search(shown):
        return _clean(shown)
    return (
        "".join(_clean(piece) if not _SGR.fullmatch(piece) else piece for piece in _SGR.split(shown)) + _END
    )


def _clean(text: str) -> str:
    return clean(text).replace("\n", " ")
