"""conductor sweep: what a detached sweeper runs; people have `conductor stacks`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.commands.options import AsJson
from conductor.cli.session import reading

if TYPE_CHECKING:
    from conductor.bootstrap import App


def sweep(
    context: typer.Context,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="Go on until the last lease has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the stacks whose lease is over."""
    from conductor.cli.output import print_json
    from conductor.operations import sweep as operation

    if until_empty:
        _until_empty(context)
        return
    swept = reading(context, lambda app: operation.sweep(app.world))
    if as_json:
        print_json(swept)
        return
    sys.stdout.write(f"removed: {', '.join(swept.removed) or 'none'}; left: {swept.left}\n")
    if swept.images:
        sys.stdout.write(f"old images removed: {', '.join(swept.images)}\n")
    sys.stdout.writelines(f"not removed: {name}: {why}\n" for name, why in swept.failed.items())


def _until_empty(context: typer.Context) -> None:
    """Sweep as the only sweeper of the state folder; where there is one already, leave the work to it."""
    from conductor.bootstrap import the_only_sweeper
    from conductor.errors import ConflictError
    from conductor.operations import sweep as operation

    async def work(app: App) -> None:
        try:
            with the_only_sweeper(app.settings):
                await operation.sweep_until_empty(app.world)
        except ConflictError as error:
            sys.stdout.write(f"{error.message}\n")

    reading(context, work)
