"""conductor version."""

from __future__ import annotations

import sys

import typer

from conductor.cli.commands.options import AsJson


def version(as_json: AsJson = False) -> None:
    """Say which Conductor this is, and on what it runs."""
    import platform

    from conductor.cli.output import print_json

    if as_json:
        print_json(
            {"conductor": number(), "python": platform.python_version(), "platform": platform.platform()}
        )
    else:
        sys.stdout.write(
            f"conductor {number()} (Python {platform.python_version()}, {platform.platform()})\n"
        )


def print_and_leave(asked: bool) -> None:
    """Answer `--version`."""
    if asked:
        sys.stdout.write(f"conductor {number()}\n")
        raise typer.Exit


def number() -> str:
    """Return the version of what is installed."""
    from importlib.metadata import version as version_of

    return version_of("conductor")
