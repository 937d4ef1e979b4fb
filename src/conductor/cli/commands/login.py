"""conductor login and logout: which token a server is asked with."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from conductor.cli.commands.options import AsJson

ServerAddress = Annotated[str, typer.Argument(metavar="URL", help="Where the server is: https://HOST.")]


def login(server: ServerAddress, as_json: AsJson = False) -> None:
    """Keep a token for a server, once the server has taken it. It is asked for on the terminal, or read from standard input."""
    import asyncio

    from conductor.cli.desk import tokens
    from conductor.cli.desk.client import connected
    from conductor.cli.output import print_json
    from conductor.errors import UsageError

    address = tokens.address_of(server)
    token = _asked(address)
    if not token:
        raise UsageError("no token was given", remedy="`conductor tokens create` on the server makes one.")

    async def who() -> dict[str, object]:
        async with connected(address, token) as client:
            return dict(await client.get("/whoami"))

    told = asyncio.run(who())
    file = tokens.keep(address, token)
    if as_json:
        print_json({"server": address, "file": file, **told})
    else:
        sys.stdout.write(f"{address} knows you as {told.get('principal', '?')} ({told.get('role', '?')})\n")


def logout(server: ServerAddress, as_json: AsJson = False) -> None:
    """Forget a server's token here. It stays valid: `conductor tokens revoke` ends it."""
    from conductor.cli.desk import tokens
    from conductor.cli.output import print_json

    address = tokens.address_of(server)
    was = tokens.forget(address)
    if as_json:
        print_json({"server": address, "forgotten": was})
    else:
        sys.stdout.write(f"{address}: {'forgotten' if was else 'there was no token'}\n")


def _asked(address: str) -> str:
    """Read the token: without echo where somebody types it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    import getpass

    return getpass.getpass(f"Token for {address}: ").strip()
