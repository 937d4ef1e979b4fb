"""conductor doctor."""

from __future__ import annotations

import typer

from conductor.cli.commands.options import AsJson
from conductor.cli.session import looking

NOT_WELL = 3


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at what a run needs, and say what to do.

    Exit code 3 where something is not well.
    """
    from conductor.cli.output import console, print_json
    from conductor.cli.tables import diagnoses_table
    from conductor.operations.doctor import doctor as look

    found = looking(context, lambda settings, engine: look(engine, state=settings.state))
    if as_json:
        print_json(found)
    else:
        console().print(diagnoses_table(found))
    raise typer.Exit(0 if all(one.ok for one in found) else NOT_WELL)
