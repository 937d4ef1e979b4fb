"""conductor init, conductor check: a repository's files, without an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from conductor.cli.arguments import variable
from conductor.cli.commands.options import AsJson

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The repository's folder.", show_default=False, exists=True, file_okay=False
    ),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A variable for the compose files; no secrets. Repeatable."
    ),
]


def init(
    folder: Folder = Path(),
    force: Annotated[bool, typer.Option("--force", help="Write it anew where there is one.")] = False,
    agents: Annotated[
        bool,
        typer.Option(
            "--agents",
            help="Write into AGENTS.md how agents work with Conductor, and nothing else; what is there stays.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a first .conductor.yaml by looking at the files; or, with --agents, what agents have to know."""
    from conductor.cli.output import print_json
    from conductor.operations.agents import write_guide
    from conductor.operations.init import init as write

    written = write_guide(folder) if agents else write(folder, force=force)
    if as_json:
        print_json({"file": written})
    else:
        then = "Commit it." if agents else f"Read it, then: conductor check {folder}"
        sys.stdout.write(f"{written} is written. {then}\n")


def check(folder: Folder = Path(), variables: Variables = None, as_json: AsJson = False) -> None:
    """Say what is wrong with the configuration.

    Every problem comes at once, with file and line. Where there is none: what a run would make on the engine in use, and what
    another engine would refuse of it.
    """
    from conductor import bootstrap
    from conductor.cli.checked import check_json, check_lines
    from conductor.cli.output import print_json
    from conductor.operations.check import check as read

    given = dict(variable(text) for text in variables or ())
    engine, engines = bootstrap.engines_to_check()
    result = read(folder, variables=given, engines=engines, engine=engine)
    if as_json:
        print_json(check_json(result))
    else:
        sys.stdout.writelines(f"{line}\n" for line in check_lines(result))
