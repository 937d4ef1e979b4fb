"""conductor doctor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.commands.options import AsJson, EngineName
from conductor.cli.session import looking

if TYPE_CHECKING:
    from conductor.ports.engine import Diagnosis, Engine
    from conductor.settings import Settings

NOT_WELL = 3


def doctor(
    context: typer.Context,
    engine: Annotated[
        EngineName | None, typer.Option(help="The engine to look at, instead of the one that is set.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at what a run needs, and say what to do.

    Exit code 3 where something is not well.
    """
    from conductor import bootstrap
    from conductor.cli.output import console, print_json
    from conductor.cli.tables import diagnoses_table
    from conductor.operations.doctor import doctor as look

    async def look_at(settings: Settings, one: Engine) -> Sequence[Diagnosis]:
        async with bootstrap.registry(settings) as registry:
            return await look(one, state=settings.state, registry=registry)

    found = looking(context, look_at, engine=engine)
    if as_json:
        print_json(found)
    else:
        console().print(diagnoses_table(found))
    raise typer.Exit(0 if all(one.ok for one in found) else NOT_WELL)
