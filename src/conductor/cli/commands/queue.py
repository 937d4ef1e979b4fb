"""conductor queue: who runs next on a server, and who waits for what."""

from __future__ import annotations

import typer

from conductor.cli.commands.options import AsJson
from conductor.cli.session import asking_there


def queue(context: typer.Context, as_json: AsJson = False) -> None:
    """Show a server's queue: positions, what each run waits for, and when it may begin."""
    from conductor.cli.desk.queue_table import queue_table
    from conductor.cli.output import console, print_json

    found = asking_there(context, lambda desk: desk.queue())
    if as_json:
        print_json(found)
    else:
        paper = console()
        paper.print(queue_table(found, width=paper.width))
