"""A server's queue as people read it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from conductor.cli.columns import Column, table_of
from conductor.cli.desk.there import Queue, Waiting
from conductor.cli.tables import ago
from conductor.reports.readable import on_one_line

NO_QUEUE = "Nothing runs and nothing waits."
_COLUMNS = (
    Column("position"),
    Column("run"),
    Column("repository", 6),
    Column("branch", 6),
    Column("waits for", 12),
    Column("begins"),
)


def queue_table(queue: Queue, *, width: int) -> RenderableType:
    """List what is at work, then what waits, in its order; below it what is to be known of the whole."""
    shown = [*queue.active, *sorted(queue.waiting, key=lambda one: one.position)]
    notes = [Text("Nothing new begins: the server is draining.", "yellow")] if queue.draining else []
    notes += (
        [Text(f"{queue.others} more of repositories that the token does not reach.")] if queue.others else []
    )
    table = table_of(_COLUMNS, [_cells(one) for one in shown], width=width) if shown else Text(NO_QUEUE)
    return Group(table, *notes)


def _cells(one: Waiting) -> list[Text]:
    begins = f"in {ago(one.estimate)}" if one.estimate is not None else ""
    return [
        Text(str(one.position) if one.position else "at work", "" if one.position else "cyan"),
        Text(one.run if one.attempt == 1 else f"{one.run} ({one.attempt})"),
        Text(on_one_line(one.repository)),
        Text(on_one_line(one.branch)),
        Text(on_one_line(one.reason)),
        Text(begins if one.position else ""),
    ]
