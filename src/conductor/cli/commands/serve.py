"""conductor serve: deliveries in, verdicts out, for a team."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.notice import Notice
from conductor.cli.session import settings_of

if TYPE_CHECKING:
    from conductor.ports.service import Service
    from conductor.settings import Settings


def serve(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", metavar="ADDRESS:PORT", help="Where it listens, instead of CONDUCTOR_LISTEN."
        ),
    ] = None,
) -> None:
    """Serve a team: take deliveries and requests, run what they ask for, tell the verdicts.

    It ends on SIGTERM and Ctrl-C. Runs at work are not waited for: another replica, or the next start, goes on with them.
    """
    import asyncio

    settings = settings_of(context)
    if listen:
        settings = type(settings).model_validate({**settings.model_dump(), "listen": listen})
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    with Notice("starting ...", as_json=False) as notice:
        from conductor import bootstrap
        from conductor.mcp.serving import served
        from conductor.operations.serving import serve_loops
        from conductor.web.app import create
        from conductor.web.server import address_of, answer, bound

        with bound(settings.listen) as opened:
            async with bootstrap.serving(settings) as service, serve_loops(service) as state:
                notice.clear()
                await _greet(service, settings, address_of(opened))
                app = create(service, state=state, settings=settings)
                grace = timedelta(seconds=settings.drain_seconds)
                async with served(
                    service, state, public_url=settings.public_url, hosts=settings.mcp_hosts
                ) as agents:
                    app.router.routes.append(agents)
                    await _unless_lost(answer(app, opened, grace=grace, on_stop=state.stop))


async def _unless_lost(answering: Coroutine[None, None, None]) -> None:
    """Answer, but raise StateError where the other replicas take this process for dead: it must not go on, and is started anew."""
    import asyncio

    from conductor import durable

    tasks = answered, lost = asyncio.create_task(answering), asyncio.create_task(durable.until_lost())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            raise durable.lost_error()
        await answered
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _greet(service: Service, settings: Settings, address: str) -> None:
    """Say where it is and what it takes; and what is missing for it to be of use."""
    forges = ", ".join(service.hostings) or "none: set CONDUCTOR_GITHUB_* or CONDUCTOR_REPOSITORIES"
    lines = [
        f"listening on {address}",
        f"engine {settings.engine}, forges {forges}",
        f"repositories {', '.join(settings.allow) or 'none: set CONDUCTOR_ALLOW, such as acme/*'}",
    ]
    if not await service.access.tokens():
        lines.append("no token opens it yet: `conductor tokens create NAME --role admin` makes the first")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
