"""conductor tokens: who may ask a server for what."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from conductor.cli.arguments import duration
from conductor.cli.commands.options import AsJson
from conductor.cli.session import settings_of

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from conductor.domain.access import Token
    from conductor.ports.access import Access
    from conductor.ports.clock import Clock

T = TypeVar("T")
app = typer.Typer(
    help="Tokens of the server: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def create(
    *,
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: the audit log names them so.")],
    role: Annotated[str, typer.Option("--role", metavar="read|run|admin", help="What it may do.")] = "read",
    repository: Annotated[
        list[str] | None,
        typer.Option("--repository", metavar="OWNER/NAME", help="Only for this one; may be repeated."),
    ] = None,
    expires_in: Annotated[
        timedelta | None,
        typer.Option(
            "--expires-in", parser=duration, metavar="DURATION", help="How long it is good, such as 90d."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it: nobody can find it out again."""
    from conductor.cli.output import print_json
    from conductor.domain.access import Role
    from conductor.operations import access as operation

    if role not in set(Role):
        raise typer.BadParameter(f"{role!r} is no role (there are: {', '.join(Role)}).")

    async def work(access: Access, clock: Clock) -> tuple[Token, str]:
        now = clock.now()
        made = await operation.create_token(
            access,
            name=name,
            role=Role(role),
            now=now,
            repositories=repository or (),
            expires_at=now + expires_in if expires_in else None,
            created_by=_who(),
        )
        detail = f"{name}, {role}"
        await operation.record(
            access, at=now, principal=_who(), what="token.create", subject=made[0].id, detail=detail
        )
        return made

    token, text = _remembering(context, work)
    if as_json:
        print_json({**_shown(token), "text": text})
        return
    sys.stderr.write("Keep it well: it is shown this once.\n")
    sys.stdout.write(f"{text}\n")


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List them, oldest first; those that are over too."""
    from conductor.cli.output import console, print_json

    async def work(access: Access, clock: Clock) -> None:
        found = await access.tokens()
        if as_json:
            print_json([_shown(token) for token in found])
        else:
            paper = console()
            paper.print(_table(found, now=clock.now(), width=paper.width))

    _remembering(context, work)


@app.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name or id.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a token, for good: from now on it opens nothing."""
    from conductor.cli.output import print_json
    from conductor.operations import access as operation

    async def work(access: Access, clock: Clock) -> Token:
        now = clock.now()
        token = await operation.revoke_token(access, name, now=now)
        await operation.record(
            access, at=now, principal=_who(), what="token.revoke", subject=token.id, detail=token.name
        )
        return token

    token = _remembering(context, work)
    if as_json:
        print_json(_shown(token))
    else:
        sys.stdout.write(f"{token.name} opens nothing any more\n")


def _remembering(context: typer.Context, work: Callable[[Access, Clock], Awaitable[T]]) -> T:
    """Do what needs the tokens of this machine's state folder, or of the database that is set."""
    import asyncio

    from conductor.bootstrap.access import opened_access

    async def inside() -> T:
        async with opened_access(settings_of(context)) as (access, clock):
            return await work(access, clock)

    return asyncio.run(inside())


def _table(found: Sequence[Token], *, now: datetime, width: int) -> Table | Text:
    from rich.text import Text

    from conductor.cli.columns import Column, table_of

    if not found:
        return Text("There are no tokens yet. `conductor tokens create NAME --role admin` makes one.")
    columns = (
        Column("id"),
        Column("name", 6),
        Column("role"),
        Column("repositories", 6),
        Column("used"),
        Column("state"),
    )
    return table_of(columns, [_cells(token, now) for token in found], width=width)


def _cells(token: Token, now: datetime) -> list[Text]:
    from rich.text import Text

    used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
    state = "valid" if token.is_valid(now) else "revoked" if token.revoked_at else "over"
    where = ", ".join(sorted(token.repositories)) or "all"
    return [Text(cell) for cell in (token.id, token.name, token.role, where, used, state)]


def _who() -> str:
    import getpass

    return f"user:{getpass.getuser()}"


def _shown(token: Token) -> dict[str, object]:
    """Show a token without what it is verified by."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "repositories": sorted(token.repositories),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
