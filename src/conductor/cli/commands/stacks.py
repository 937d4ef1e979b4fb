"""conductor stacks: what is still standing, for how long, and what can be done with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import addressed, duration, moment, service_port, span_until
from conductor.cli.commands.options import AsJson, Follow, NamedRun
from conductor.cli.session import asking, reading

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.cli.desk.desk import Desk
    from conductor.domain.lease import Lease

app = typer.Typer(
    help="What is still standing: list, logs, exec, extend, delete.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
LogService = Annotated[str | None, typer.Argument(metavar="SERVICE", help="Only this one.")]
ServiceName = Annotated[
    str, typer.Argument(metavar="SERVICE", help="The service's name in the compose file.")
]


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Only that run's; all where none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List them, first to end first."""
    from conductor.cli.output import console, print_json
    from conductor.cli.tables import address_lines, stacks_table
    from conductor.operations import stacks

    async def work(desk: Desk) -> None:
        views = await desk.stacks()
        if name:
            wanted = stacks.named([view.info for view in views], name)
            views = [view for view in views if view.info.name == wanted.name]
        if as_json:
            print_json(views)
        else:
            paper = console()
            paper.print(stacks_table(views, now=desk.now(), width=paper.width))
            sys.stdout.writelines(address_lines(views))

    asking(context, work)


@app.command()
def logs(
    context: typer.Context,
    name: NamedRun,
    service: LogService = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Print what the containers write, straight from the engine."""
    from conductor.cli.printing import LinePrinter
    from conductor.operations import stacks

    async def work(app: App) -> None:
        printer = LinePrinter(as_json=as_json, prefixed=service is None)
        async for line in stacks.logs(app.world, name, service=service, follow=follow):
            printer.print(line)

    reading(context, work)


@app.command("exec", context_settings={"allow_interspersed_args": False})
def exec_(
    context: typer.Context,
    name: NamedRun,
    service: ServiceName,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run there.")],
) -> None:
    """Run a command in a service; its exit code is the answer. On a terminal the terminal is the command's."""
    from conductor.operations import stacks

    command = command[1:] if command[0] == "--" else command

    async def work(app: App) -> int:
        if sys.stdin.isatty() and sys.stdout.isatty():
            from conductor.cli.terminal import LocalTerminal

            return await stacks.attach(app.world, name, service, command, LocalTerminal())
        given = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
        answer = await stacks.exec(app.world, name, service, command, stdin=given)
        sys.stdout.buffer.write(answer.stdout)
        sys.stderr.buffer.write(answer.stderr)
        return answer.exit_code

    raise typer.Exit(reading(context, work))


@app.command("open")
def open_(
    context: typer.Context,
    name: NamedRun,
    port: Annotated[
        str, typer.Argument(metavar="SERVICE:PORT[=HOSTPORT]", help="Which port, and as which one here.")
    ],
    address: Annotated[
        bool,
        typer.Option(
            "--address",
            help="Give SERVICE[:PORT] an address under the cluster's domain instead, closed to who has no token.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open a service's port on 127.0.0.1 until Ctrl-C; or give it an address."""
    from conductor.operations import stacks

    if address:
        _open_address(context, name, port, as_json=as_json)
        return
    service, target, local = service_port(port)

    def opened(address: str) -> None:
        if as_json:
            sys.stdout.write(json.dumps({"service": service, "port": target, "address": address}) + "\n")
        else:
            sys.stdout.write(f"{service}:{target} is at {address} until Ctrl-C\n")
        sys.stdout.flush()

    async def work(app: App) -> None:
        await stacks.open_port(app.world, name, service, target, local_port=local or 0, opened=opened)

    reading(context, work)


def _open_address(context: typer.Context, name: str, wanted: str, *, as_json: bool) -> None:
    from conductor.cli.output import print_json
    from conductor.operations import stacks

    service, port = addressed(wanted)

    async def work(app: App) -> None:
        made = await stacks.open_address(app.world, name, service, port=port)
        if as_json:
            print_json({"service": service, "url": made.url, "token": made.token, "opening": made.opening})
            return
        sys.stdout.write(f"{wanted} is at {made.url} for who has the stack's token\n")
        sys.stdout.write(f"this address opens it: {made.opening}\n")

    reading(context, work)


@app.command()
def extend(
    context: typer.Context,
    name: NamedRun,
    by: Annotated[
        timedelta | None,
        typer.Option("--by", parser=duration, metavar="DURATION", help="So much longer, such as 4h."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=moment, metavar="TIME", help="Until then, such as 2026-11-24T18:00."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a stack stand longer."""
    if (by is None) == (until is None):
        raise typer.BadParameter("say --by DURATION or --until TIME.")
    if by is not None:
        span = by
        _show_lease(asking(context, lambda desk: desk.extend(name, by=span)), as_json=as_json)
        return

    async def change(desk: Desk) -> Lease:
        assert until is not None  # noqa: S101 -- one of the two is there
        return await desk.release(name, keep_for=span_until(until, now=desk.now()))

    _change_lease(context, change, as_json=as_json)


@app.command()
def pin(context: typer.Context, name: NamedRun, as_json: AsJson = False) -> None:
    """Keep a stack until it is released."""
    _change_lease(context, lambda desk: desk.pin(name), as_json=as_json)


@app.command()
def release(
    context: typer.Context,
    name: NamedRun,
    keep_for: Annotated[
        timedelta | None,
        typer.Option(
            "--keep-for",
            parser=duration,
            metavar="DURATION",
            help="How long it still stands; without it, an hour.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a pinned stack an end again."""
    _change_lease(
        context, lambda desk: desk.release(name, keep_for=keep_for or timedelta(hours=1)), as_json=as_json
    )


@app.command()
def sleep(context: typer.Context, name: NamedRun, as_json: AsJson = False) -> None:
    """Stop everything in a stack and keep what it holds."""
    _change_lease(context, lambda desk: desk.sleep(name), as_json=as_json)


@app.command()
def wake(context: typer.Context, name: NamedRun, as_json: AsJson = False) -> None:
    """Start a sleeping stack again, in the order of its dependencies."""
    _change_lease(context, lambda desk: desk.wake(name), as_json=as_json)


@app.command()
def delete(  # noqa: PLR0917 -- what is typed, not what is called
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Ids of runs or their beginnings.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every stack that no run is at work in.")] = False,
    even_at_work: Annotated[
        bool,
        typer.Option(
            "--even-at-work", help="With --all: those too in which a run is at work; it ends broken."
        ),
    ] = False,
    with_environments: Annotated[
        bool,
        typer.Option(
            "--environments", help="With --all: development environments too, as before an uninstall."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove stacks now. Reports and logs of their runs stay."""
    from conductor.cli.output import print_json

    if bool(names) == everything:
        raise typer.BadParameter("name the stacks to remove, or say --all.")
    if (even_at_work or with_environments) and not everything:
        raise typer.BadParameter(
            "--even-at-work and --environments go with --all: a stack that is named is removed in any case."
        )

    async def work(desk: Desk) -> dict[str, int]:
        chosen = await _standing(desk, even_at_work=even_at_work) if everything else names or []
        return {name: await desk.delete(name) for name in chosen}

    removed = asking(context, work)
    if with_environments:
        removed |= reading(context, _environments)
    if as_json:
        print_json(removed)
        return
    sys.stdout.writelines(f"{name} is gone: {count} things removed\n" for name, count in removed.items())
    if not removed:
        sys.stdout.write("No stack was standing.\n")


async def _environments(app: App) -> dict[str, int]:
    from conductor.operations.environments import remove_all

    return await remove_all(app.world)


async def _standing(desk: Desk, *, even_at_work: bool) -> list[str]:
    from conductor.domain.lease import NamespaceStatus

    return [
        view.info.name
        for view in await desk.stacks()
        if even_at_work or view.lease is None or view.lease.status is not NamespaceStatus.ACTIVE
    ]


def _change_lease(
    context: typer.Context, change: Callable[[Desk], Awaitable[Lease]], *, as_json: bool
) -> None:
    """Carry a change out, here or on a server, and say how the lease stands now."""
    _show_lease(asking(context, change), as_json=as_json)


def _show_lease(lease: Lease, *, as_json: bool) -> None:
    from datetime import UTC

    from conductor.cli.output import print_json
    from conductor.cli.tables import end_text

    if as_json:
        print_json(lease)
    else:
        sys.stdout.write(f"{lease.run}: {lease.status}, ends: {end_text(lease, datetime.now(UTC))}\n")
