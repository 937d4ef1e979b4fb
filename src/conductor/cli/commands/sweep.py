"""conductor sweep: what a detached sweeper runs; people have `conductor stacks`."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.commands.options import AsJson
from conductor.cli.session import reading

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.operations.retention import Pruned
    from conductor.operations.sweep import Swept


def sweep(
    context: typer.Context,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="Go on until the last lease has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the stacks whose lease is over, and the evidence that is too old or too much."""
    from conductor.cli.output import plain, print_json

    if until_empty:
        _until_empty(context)
        return
    swept, pruned = reading(context, _once)
    if as_json:
        print_json({**plain(swept), "evidence": pruned})
        return
    sys.stdout.write(f"removed: {', '.join(swept.removed) or 'none'}; left: {swept.left}\n")
    if swept.images:
        sys.stdout.write(f"old images removed: {', '.join(swept.images)}\n")
    if pruned.removed:
        sys.stdout.write(f"logs and artifacts removed: {', '.join(pruned.removed)}\n")
    failed = {**swept.failed, **pruned.failed}
    sys.stdout.writelines(f"not removed: {name}: {why}\n" for name, why in failed.items())


async def _once(app: App) -> tuple[Swept, Pruned]:
    from conductor.operations.retention import prune_evidence
    from conductor.operations.sweep import sweep

    return await sweep(app.world), await prune_evidence(app.world)


def _until_empty(context: typer.Context) -> None:
    """Sweep as the only sweeper of the state folder; where there is one already, leave the work to it."""
    from conductor.bootstrap import the_only_sweeper
    from conductor.errors import ConflictError, UnreachableError
    from conductor.operations import sweep as operation
    from conductor.operations.retention import prune_evidence

    async def work(app: App) -> None:
        try:
            with the_only_sweeper(app.settings):
                with suppress(UnreachableError):
                    await prune_evidence(app.world)
                await operation.sweep_until_empty(app.world)
        except ConflictError as error:
            sys.stdout.write(f"{error.message}\n")

    reading(context, work)
