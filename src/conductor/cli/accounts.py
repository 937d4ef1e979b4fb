"""The account of a conversion as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conductor.cli.output import plain
from conductor.domain.account import Entry, Treatment
from conductor.reports.readable import on_one_line
from conductor.reports.words import plural

STYLES = {Treatment.CONVERTED: "green", Treatment.REFUSED: "bold red"}
WIDEST = 110
"""What belongs together should not stand too far apart."""
_INDENT = 2


def account_tables(account: Sequence[Entry], engines: Sequence[str]) -> RenderableType:
    """Draw a table for each file: line, key, what becomes of it on each engine; below a key what is to be said of it."""
    parts: list[RenderableType] = []
    for file, entries in groupby(account, lambda entry: entry.file):
        table = Constrain(_table(list(entries), engines), WIDEST)
        parts += [Text(on_one_line(file), style="bold"), table, Text("")]
    return Group(*parts, Text(summary(account, engines)))


def _table(entries: Sequence[Entry], engines: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("line", justify="right", no_wrap=True)
    table.add_column("key", ratio=1, overflow="fold")
    for engine in engines:
        table.add_column(engine, no_wrap=True, width=max(len(engine), len(Treatment.CONVERTED)))
    said: dict[str, list[Text]] = {}
    for entry in entries:
        outcomes = [Text(entry.on(engine), STYLES[entry.on(engine)]) for engine in engines]
        said[entry.path] = list(_remarks(entry))
        new = (
            []
            if any(said.get(above) == said[entry.path] for above in _above(entry.path))
            else said[entry.path]
        )
        remarks = [Padding(remark, (0, 0, 0, _INDENT)) for remark in new]
        table.add_row(Text(str(entry.line)), Group(Text(on_one_line(entry.path)), *remarks), *outcomes)
    return table


def _above(path: str) -> Iterator[str]:
    """Yield what a key stands under: what was said there is not said again."""
    while cut := max(path.rfind("."), path.rfind("[")) + 1:
        path = path[: cut - 1]
        yield path


def _remarks(entry: Entry) -> Iterator[Text]:
    if entry.why:
        yield Text(on_one_line(entry.why), "red")
        yield Text(on_one_line(entry.instead))
    for refusal in entry.refused_by:
        yield Text(f"{refusal.engine}: {on_one_line(refusal.why)}", "red")
        yield Text(on_one_line(refusal.instead))
    if entry.note:
        yield Text(on_one_line(entry.note), "dim")


def account_lines(account: Sequence[Entry], engines: Sequence[str]) -> Iterator[str]:
    """Yield a line for each key, for what is no terminal."""
    for entry in account:
        place = f"{entry.file}:{entry.line}:{entry.column}"
        yield on_one_line(f"{place}: {entry.path}: {_in_words(entry)}")
    yield summary(account, engines)


def _in_words(entry: Entry) -> str:
    if entry.treatment is Treatment.REFUSED:
        return f"refused: {_reason(entry.why, entry.instead)}"
    parts = [f"refused on {r.engine}: {_reason(r.why, r.instead)}" for r in entry.refused_by]
    note = f" ({entry.note})" if entry.note else ""
    return "; ".join([f"converted{note}", *parts])


def _reason(why: str, instead: str) -> str:
    return f"{why.rstrip('.')}. {instead}".rstrip()


def summary(account: Sequence[Entry], engines: Sequence[str]) -> str:
    """Count."""
    refused = {engine: sum(e.on(engine) is Treatment.REFUSED for e in account) for engine in engines}
    told = ", ".join(f"{count or 'none'} refused on {engine}" for engine, count in refused.items())
    return f"{plural(len(account), 'key')}: {told}"


def account_json(account: Sequence[Entry], engines: Sequence[str]) -> list[dict[str, Any]]:
    """Make data of it: the entries, each with what becomes of it on each engine."""
    return [
        {**plain(entry), "engines": {engine: str(entry.on(engine)) for engine in engines}}
        for entry in account
    ]
