"""conductor secrets: what a repository needs of GitHub Secrets, and the workflow that brings it to a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.commands.options import AsJson

if TYPE_CHECKING:
    from conductor.operations.secrets import PlannedSecret

app = typer.Typer(
    help="Secrets: which names go to whom, and the workflow that brings them from GitHub.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The repository's folder.", show_default=False, exists=True, file_okay=False
    ),
]


@app.command()
def plan(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Show for each environment which secret of GitHub goes to which workload, under which name."""
    from conductor.cli.output import print_json
    from conductor.operations.secrets import plan as read

    planned = read(folder)
    if as_json:
        print_json({"secrets": planned})
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(planned))


@app.command()
def install(
    folder: Folder = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is not of Conductor.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the workflow that brings secrets into a repository: .github/workflows/conductor-sync-secrets.yml."""
    from conductor.cli.output import print_json
    from conductor.operations.secrets import install as write

    written = write(folder, force=force)
    if as_json:
        print_json(written)
    elif written.changed:
        sys.stdout.write(
            f"{written.file} is written. Commit it to the default branch: it is run from there.\n"
        )
    else:
        sys.stdout.write(f"{written.file} is as it should be.\n")


def _lines(planned: Sequence[PlannedSecret]) -> Iterator[str]:
    if not planned:
        yield "No secrets are asked for."
    wide = max((len(one.github) for one in planned), default=0)
    environment = ""
    for one in planned:
        if one.environment != environment:
            environment = one.environment
            yield f"{environment}:"
        yield f"  {one.github:<{wide}}  as {one.name} to {', '.join(one.consumers) or 'nobody'}"
