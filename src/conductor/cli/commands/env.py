"""conductor env: development environments, from a request to their end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import duration
from conductor.cli.commands.options import AsJson, Follow
from conductor.cli.session import asking

if TYPE_CHECKING:
    from conductor.cli.desk.desk import Desk
    from conductor.operations.environments import EnvironmentView

app = typer.Typer(
    help="Development environments: request, list, show, exec, logs, cp, push, extend, sleep, wake, release.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Named = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment's id or its beginning.")]
_PATIENCE = timedelta(minutes=15)


@app.command()
def request(  # noqa: PLR0917 -- the command line hands them over by name
    context: typer.Context,
    repository: Annotated[
        str,
        typer.Argument(
            metavar="REPOSITORY", help="A folder, an address of git, or a name such as acme/shop."
        ),
    ] = ".",
    issue: Annotated[
        int | None, typer.Option("--issue", "-i", min=1, help="The issue that is worked on.")
    ] = None,
    branch: Annotated[str, typer.Option("--branch", "-b", help="The branch that the work goes to.")] = "",
    base: Annotated[str, typer.Option("--base", help="The branch that it begins at; the default one.")] = "",
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Which secrets: dev, qa, or what the repository names.")
    ] = "dev",
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="What makes the workspace, where there are several: plain is the engine itself.",
        ),
    ] = None,
    span: Annotated[
        timedelta | None,
        typer.Option("--for", parser=duration, metavar="DURATION", help="How long it lasts, such as 8h."),
    ] = None,
    env_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--env-file", metavar="FILE", help="A file outside of the repository with values of secrets."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for an environment and wait until it is ready. The same request again is the same environment."""
    from conductor.domain.environment import EnvironmentStatus, WorkspaceKind
    from conductor.operations.environments import EnvironmentRequest

    if kind and kind not in ("plain", "coder"):
        raise typer.BadParameter("plain or coder", param_hint="--kind")
    asked = EnvironmentRequest(
        location=repository,
        issue=issue,
        branch=branch,
        base=base,
        environment=environment,
        kind=WorkspaceKind(kind) if kind else None,
        keep_for=span,
        env_files=tuple(str(path.absolute()) for path in env_file or ()),
    )

    async def work(desk: Desk) -> int:
        name = await desk.environments.request(asked)
        if not as_json:
            sys.stderr.write(f"provisioning {name} ...\n")
        view = await desk.environments.wait(name, timeout=_PATIENCE)
        _tell(view, desk, as_json=as_json)
        return 0 if view.row.state.status is EnvironmentStatus.READY else 3

    raise typer.Exit(asking(context, work, starts=True))


def _tell(view: EnvironmentView, desk: Desk, *, as_json: bool) -> None:
    from conductor.cli.environment_tables import environment_lines
    from conductor.cli.output import print_json

    if as_json:
        print_json(view)
    else:
        sys.stdout.writelines(f"{line}\n" for line in environment_lines(view, now=desk.now()))


@app.command("list")
def list_(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List them, latest first."""
    from conductor.cli.environment_tables import environments_table
    from conductor.cli.output import console, print_json

    async def work(desk: Desk) -> None:
        views = await desk.environments.list_environments(ended=everything)
        if as_json:
            print_json(views)
        else:
            paper = console()
            paper.print(environments_table(views, now=desk.now(), width=paper.width))

    asking(context, work)


@app.command()
def show(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Show one: where it stands, how long it lasts, and how it came there."""

    async def work(desk: Desk) -> None:
        _tell(await desk.environments.find(name), desk, as_json=as_json)

    asking(context, work)


@app.command("exec", context_settings={"allow_interspersed_args": False})
def exec_(
    context: typer.Context,
    name: Named,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run there.")],
) -> None:
    """Run a command in the repository's folder; its exit code is the answer.

    On a terminal the terminal is the command's. A server gives none: the command runs without, and is answered for once it has ended.
    """
    command = command[1:] if command[0] == "--" else command
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    async def work(desk: Desk) -> int:
        if at_terminal and desk.environments.has_terminals:
            from conductor.cli.terminal import LocalTerminal

            return await desk.environments.attach(name, command, LocalTerminal())
        given = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
        answer = await desk.environments.execute(name, command, stdin=given)
        sys.stdout.buffer.write(answer.stdout)
        sys.stderr.buffer.write(answer.stderr)
        return answer.exit_code

    raise typer.Exit(asking(context, work))


@app.command()
def logs(context: typer.Context, name: Named, follow: Follow = False, as_json: AsJson = False) -> None:
    """Print what its workspace wrote."""
    from conductor.cli.printing import LinePrinter

    async def work(desk: Desk) -> None:
        printer = LinePrinter(as_json=as_json, prefixed=False)
        async for line in desk.environments.logs(name, follow=follow):
            printer.print(line)

    asking(context, work)


@app.command()
def cp(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file here, or ENVIRONMENT:PATH.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The other way round.")],
) -> None:
    """Copy a file into an environment or out of it; paths there are relative to the repository."""
    inward, outward = ":" in target, ":" in source
    if inward == outward:
        raise typer.BadParameter("one side is ENVIRONMENT:PATH, the other a file here")
    name, _, path = (target if inward else source).partition(":")

    async def work(desk: Desk) -> None:
        if inward:
            content = await asyncio.to_thread(Path(source).read_bytes)
            await desk.environments.write_file(name, path, content)
        else:
            content = await desk.environments.read_file(name, path)
            await asyncio.to_thread(Path(target).write_bytes, content)

    asking(context, work)


@app.command()
def push(
    context: typer.Context,
    name: Named,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag",
            metavar="TAG",
            help="With this tag; `--test` names the one that starts a run of the branch.",
        ),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="With the tag that starts a run of the branch.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Push the commits on its branch; the workspace itself holds no credential."""
    from conductor.cli.output import print_json

    async def work(desk: Desk) -> None:
        pushed = await desk.environments.push(name, tag=tag, test=test)
        if as_json:
            print_json(pushed)
        else:
            more = f" and the tag {pushed.tag}" if pushed.tag else ""
            sys.stdout.write(f"pushed {pushed.branch} at {pushed.commit[:12]}{more}\n")

    asking(context, work)


@app.command()
def extend(
    context: typer.Context,
    name: Named,
    by: Annotated[
        timedelta, typer.Option("--by", parser=duration, metavar="DURATION", help="By how long, such as 2h.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let it last longer."""
    _change(context, name, lambda desk: desk.environments.extend(name, by=by), as_json=as_json)


@app.command()
def sleep(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Stop its workspace and keep what it holds."""
    _change(context, name, lambda desk: desk.environments.sleep(name), as_json=as_json)


@app.command()
def wake(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Start its workspace again."""
    _change(context, name, lambda desk: desk.environments.wake(name), as_json=as_json)


@app.command()
def release(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """End it; what was not pushed is gone."""

    async def work(desk: Desk) -> None:
        _tell(await desk.environments.release(name), desk, as_json=as_json)

    asking(context, work, starts=True)


def _change(
    context: typer.Context, name: str, change: Callable[[Desk], Awaitable[None]], *, as_json: bool
) -> None:
    async def work(desk: Desk) -> None:
        await change(desk)
        _tell(await desk.environments.find(name), desk, as_json=as_json)

    asking(context, work)
