"""conductor mcp: Conductor's tools for an agent, on standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from conductor.cli.session import running, session_of

if TYPE_CHECKING:
    from conductor.bootstrap import App


def mcp(context: typer.Context) -> None:
    """Give an agent Conductor's tools, over MCP on standard input and output; its client starts this.

    With --server (or CONDUCTOR_SERVER) they are the server's, with the token of `conductor login`; else this machine's own records and
    engine. It ends with its input. Nothing but the protocol goes to standard output.
    """
    server = session_of(context).server
    if server is not None:
        _pass_on(server)
        return
    running(context, _answer_here)


def _pass_on(server: str) -> None:
    import asyncio

    from conductor.cli.desk import tokens
    from conductor.errors import UsageError
    from conductor.mcp.passing import pass_on

    address = tokens.address_of(server)
    token = tokens.find(address)
    if token is None:
        raise UsageError(f"nobody has logged in to {address}", remedy=f"`conductor login {address}`")
    asyncio.run(pass_on(address, token))


async def _answer_here(app: App) -> None:
    """Answer until the input ends, or the client stops this process; what is kept then has somebody who removes it in its time."""
    import asyncio
    import getpass
    import signal
    from contextlib import suppress

    from conductor.bootstrap import leave_sweeper, tell_outside
    from conductor.mcp.desk import answer_here

    principal = app.settings.principal or getpass.getuser()
    answering = asyncio.create_task(answer_here(app.world, app.tracking, principal=principal))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, answering.cancel)
    with suppress(asyncio.CancelledError):
        await answering
    await tell_outside(app)
    if await app.world.store.leases():
        leave_sweeper(app.settings)
