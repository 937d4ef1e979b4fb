"""From a command to the world: what was said before the command, and the event loop in which its operation runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.cli.desk.desk import Desk
    from conductor.cli.desk.there import DeskThere
    from conductor.ports.engine import Engine
    from conductor.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What stands before the command's name: the state folder, whether to say more, and whom to ask."""

    state: Path | None = None
    verbose: bool = False
    server: str | None = None
    """Whom to ask instead of this machine."""


def session_of(context: typer.Context) -> Session:
    """Return what was said before the command's name."""
    return context.obj if isinstance(context.obj, Session) else Session()


def asking(context: typer.Context, work: Callable[[Desk], Awaitable[T]], *, starts: bool = False) -> T:
    """Ask this machine or a server, whichever was said. `starts`: durable execution is needed for it here."""
    import asyncio

    server = session_of(context).server
    if server is None:
        from conductor.cli.desk.here import DeskHere

        return (running if starts else reading)(context, lambda app: work(DeskHere(app)))
    return asyncio.run(_there(server, work))


def asking_there(context: typer.Context, work: Callable[[DeskThere], Awaitable[T]]) -> T:
    """Ask a server what only servers know. UsageError where none was named."""
    import asyncio

    from conductor.errors import UsageError

    server = session_of(context).server
    if server is None:
        raise UsageError(
            "no server is named", remedy="`conductor --server URL ...`, or set CONDUCTOR_SERVER."
        )
    return asyncio.run(_there(server, work))


async def _there(server: str, work: Callable[[DeskThere], Awaitable[T]]) -> T:
    from conductor.cli.desk.there import desk_at

    async with desk_at(server) as desk:
        return await work(desk)


def _refuse_server(context: typer.Context) -> None:
    """Refuse a command that only this machine can carry out, where a server was named on purpose."""
    from conductor.errors import UsageError

    if session_of(context).server is not None:
        raise UsageError(
            f"`{context.command_path}` works on this machine's own records alone",
            remedy="Leave out --server (and CONDUCTOR_SERVER).",
        )


def reading(context: typer.Context, work: Callable[[App], Awaitable[T]]) -> T:
    """Do what needs records and the engine, and starts no run."""
    import asyncio

    from conductor import bootstrap

    _refuse_server(context)

    async def inside() -> T:
        async with bootstrap.reading(settings_of(context)) as app:
            return await work(app)

    return asyncio.run(inside())


def running(context: typer.Context, work: Callable[[App], Awaitable[T]]) -> T:
    """Do what starts, resumes or stops a run: durable execution is up while it lasts."""
    import asyncio

    from conductor import bootstrap

    _refuse_server(context)

    async def inside() -> T:
        async with bootstrap.running(settings_of(context)) as app:
            return await work(app)

    return asyncio.run(inside())


def looking(
    context: typer.Context, work: Callable[[Settings, Engine], Awaitable[T]], *, engine: str | None = None
) -> T:
    """Do what needs an engine at most, and bears that the state folder cannot be used. `engine` may name another than the set one."""
    import asyncio

    from conductor import bootstrap
    from conductor.settings import EngineKind

    async def inside() -> T:
        settings = settings_of(context)
        if engine is not None:
            settings = settings.model_copy(update={"engine": EngineKind(engine)})
        async with bootstrap.looking(settings) as chosen:
            return await work(settings, chosen)

    return asyncio.run(inside())


def settings_of(context: typer.Context) -> Settings:
    """Read the settings; who asks for more words gets Conductor's own log from `info` on."""
    from conductor import bootstrap
    from conductor.settings import LogLevel

    session = session_of(context)
    settings = bootstrap.load_settings(session.state)
    if session.verbose and settings.log in (LogLevel.WARNING, LogLevel.ERROR):
        return settings.model_copy(update={"log": LogLevel.INFO})
    return settings
