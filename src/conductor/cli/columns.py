"""Tables that fit: what matters is whole, and what may be cut gives way first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and how narrow the column may become; None is never cut."""

    heading: str
    least: int | None = None


def table_of(columns: Sequence[Column], rows: Sequence[Sequence[Text]], *, width: int) -> Table:
    """Put rows below headings in a table that is at most `width` characters wide, as far as its whole columns let it."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    natural = [
        max(len(column.heading), *(row[at].cell_len for row in rows)) for at, column in enumerate(columns)
    ]
    for column, wide in zip(
        columns, fitted(natural, [column.least for column in columns], width), strict=True
    ):
        table.add_column(column.heading, no_wrap=True, overflow="ellipsis", width=wide)
    for row in rows:
        table.add_row(*row)
    return table


def fitted(natural: Sequence[int], least: Sequence[int | None], width: int) -> list[int]:
    """Take from the widest column that may give until all fit, or none can give any more.

    >>> fitted([10, 30, 20], [None, 5, 5], 44)
    [10, 15, 15]
    """
    widths = list(natural)
    room = width - GAP * (len(widths) - 1)
    while sum(widths) > room:
        giving = [at for at, low in enumerate(least) if low is not None and widths[at] > low]
        if not giving:
            break
        widths[max(giving, key=lambda at: widths[at])] -= 1
    return widths
