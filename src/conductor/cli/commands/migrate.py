"""conductor migrate: what a server does by itself when it starts, as a job of its own."""

from __future__ import annotations

import sys

import typer


def migrate(context: typer.Context) -> None:
    """Bring the database to the tables of this version."""
    import asyncio

    from conductor import bootstrap
    from conductor.cli.session import session_of

    settings = bootstrap.load_settings(session_of(context).state)
    schema = asyncio.run(bootstrap.migrate(settings))
    sys.stdout.write(f"the records are at schema {schema}\n")
