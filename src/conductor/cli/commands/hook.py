"""conductor hook: what tells a server of pushes to a bare repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from conductor.cli.commands.options import AsJson

app = typer.Typer(
    help="Tell a server of the tags that are pushed to a bare repository.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def hook() -> None:
    """Keep `install` a word of its own, though it is the only one."""


@app.command()
def install(
    repository: Annotated[Path, typer.Argument(metavar="REPO.git", help="A bare repository.")],
    server: Annotated[
        str, typer.Option("--server", envvar="CONDUCTOR_SERVER", metavar="URL", help="Where the server is.")
    ],
    secret_file: Annotated[
        Path,
        typer.Option("--secret-file", metavar="FILE", help="Holds the server's CONDUCTOR_FOLDER_SECRET."),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--repository",
            metavar="NAME",
            help="What the server calls it: its path below CONDUCTOR_REPOSITORIES.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the post-receive hook. A push succeeds whatever the server does."""
    from conductor.cli.output import print_json
    from conductor.operations import hook as operation

    called = name or _name(repository)
    file = operation.install(
        repository, conductor=_conductor(), server=server, secret_file=secret_file, name=called
    )
    if as_json:
        print_json({"hook": file, "repository": called})
    else:
        sys.stdout.write(f"{file} tells {server} of tags pushed to {called}\n")


def _name(repository: Path) -> str:
    """Work out what the server calls it: its path below CONDUCTOR_REPOSITORIES, else its own name."""
    import os

    real = repository.resolve()
    root = Path(os.environ.get("CONDUCTOR_REPOSITORIES") or real.parent).resolve()
    path = real.relative_to(root) if real.is_relative_to(root) else Path(real.name)
    return path.as_posix().removesuffix(".git")


def _conductor() -> list[str]:
    """Name this very Conductor: hooks run with hardly any PATH."""
    import shutil

    found = shutil.which("conductor")
    return [found] if found else [sys.executable, "-m", "conductor.cli.main"]
