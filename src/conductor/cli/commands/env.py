"""conductor env: development environments, from a request to their end."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import duration
from conductor.cli.commands.options import AsJson, Follow
from conductor.cli.session import reading, running

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.domain.environment import Environment
    from conductor.operations.environments import EnvironmentRequest

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
    from conductor.operations import environments

    async def work(app: App) -> int:
        asked = await _asked(app, repository, issue, branch)
        asked = replace(
            asked,
            base=base,
            environment=environment,
            kind=WorkspaceKind(kind) if kind else None,
            keep_for=span,
            env_files=tuple(str(path.absolute()) for path in env_file or ()),
        )
        asked = await environments.for_issue(app.tracking, asked)
        row = await environments.request(app.world, asked)
        await _renew_claim(app, row.environment)
        if not as_json:
            sys.stderr.write(f"provisioning {row.environment.id} ...\n")
        row = await environments.wait(app.world, row.environment.id, timeout=_PATIENCE)
        await _tell(app, row.environment.id, as_json=as_json)
        return 0 if row.state.status is EnvironmentStatus.READY else 3

    if kind and kind not in ("plain", "coder"):
        raise typer.BadParameter("plain or coder", param_hint="--kind")
    raise typer.Exit(running(context, work))


async def _asked(app: App, repository: str, issue: int | None, branch: str) -> EnvironmentRequest:
    """Find out what is meant: a folder or an address is taken as it is, a name is looked for on the forges."""
    import getpass

    from conductor.operations import environments
    from conductor.operations.start_run import repository_name

    folder = Path(repository)
    is_address = "://" in repository
    named = not is_address and not await asyncio.to_thread(folder.exists)
    if named:
        location = await environments.location_of(app.tracking, repository)
    else:
        location = repository if is_address else str(await asyncio.to_thread(folder.absolute))
    return environments.EnvironmentRequest(
        location=location,
        repository=repository if named else repository_name(location),
        principal=app.settings.principal or getpass.getuser(),
        issue=issue,
        branch=branch,
    )


async def _renew_claim(app: App, environment: Environment) -> None:
    """Let the claim on its issue last longer: there is work on it."""
    from conductor.operations import issues

    if environment.issue:
        await issues.work_on(
            app.tracking,
            environment.repository,
            environment.issue,
            principal=environment.principal,
            environment=environment.id,
        )


async def _tell(app: App, name: str, *, as_json: bool) -> None:
    from conductor.cli.environment_tables import environment_lines
    from conductor.cli.output import print_json
    from conductor.operations import environments

    view = await environments.find(app.world, name)
    if as_json:
        print_json(view)
    else:
        sys.stdout.writelines(f"{line}\n" for line in environment_lines(view, now=app.world.clock.now()))


@app.command("list")
def list_(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List them, latest first."""
    from conductor.cli.environment_tables import environments_table
    from conductor.cli.output import console, print_json
    from conductor.operations import environments

    async def work(app: App) -> None:
        views = await environments.list_environments(app.world, ended=everything)
        if as_json:
            print_json(views)
        else:
            paper = console()
            paper.print(environments_table(views, now=app.world.clock.now(), width=paper.width))

    reading(context, work)


@app.command()
def show(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Show one: where it stands, how long it lasts, and how it came there."""

    async def work(app: App) -> None:
        await _tell(app, name, as_json=as_json)

    reading(context, work)


@app.command("exec", context_settings={"allow_interspersed_args": False})
def exec_(
    context: typer.Context,
    name: Named,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run there.")],
) -> None:
    """Run a command in the repository's folder; its exit code is the answer. On a terminal the terminal is the command's."""
    from conductor.operations import environments

    command = command[1:] if command[0] == "--" else command

    async def work(app: App) -> int:
        if sys.stdin.isatty() and sys.stdout.isatty():
            from conductor.cli.terminal import LocalTerminal
            from conductor.domain.environment import CHECKOUT

            inside = ["sh", "-c", f'cd {CHECKOUT} && exec "$@"', "sh", *command]
            return await environments.attach(app.world, name, inside, LocalTerminal())
        given = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
        answer = await environments.execute(app.world, name, command, stdin=given)
        sys.stdout.buffer.write(answer.stdout)
        sys.stderr.buffer.write(answer.stderr)
        return answer.exit_code

    raise typer.Exit(reading(context, work))


@app.command()
def logs(context: typer.Context, name: Named, follow: Follow = False, as_json: AsJson = False) -> None:
    """Print what its workspace wrote."""
    from conductor.cli.printing import LinePrinter
    from conductor.operations import environments

    async def work(app: App) -> None:
        printer = LinePrinter(as_json=as_json, prefixed=False)
        async for line in environments.logs(app.world, name, follow=follow):
            printer.print(line)

    reading(context, work)


@app.command()
def cp(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file here, or ENVIRONMENT:PATH.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The other way round.")],
) -> None:
    """Copy a file into an environment or out of it; paths there are relative to the repository."""
    from conductor.operations import environments

    inward, outward = ":" in target, ":" in source
    if inward == outward:
        raise typer.BadParameter("one side is ENVIRONMENT:PATH, the other a file here")
    name, _, path = (target if inward else source).partition(":")

    async def work(app: App) -> None:
        if inward:
            content = await asyncio.to_thread(Path(source).read_bytes)
            await environments.write_file(app.world, name, path, content)
        else:
            content = await environments.read_file(app.world, name, path)
            await asyncio.to_thread(Path(target).write_bytes, content)

    reading(context, work)


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
    from conductor.operations import environments

    async def work(app: App) -> None:
        view = await environments.find(app.world, name)
        chosen = tag or (environments.trigger_tag(view.row.environment) if test else None)
        pushed = await environments.push(app.world, name, tag=chosen)
        if as_json:
            print_json(pushed)
        else:
            more = f" and the tag {pushed.tag}" if pushed.tag else ""
            sys.stdout.write(f"pushed {pushed.branch} at {pushed.commit[:12]}{more}\n")

    reading(context, work)


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
    from conductor.operations import environments

    async def work(app: App) -> None:
        await environments.extend(app.world, name, by=by)
        await _renew_claim(app, (await environments.find(app.world, name)).row.environment)
        await _tell(app, name, as_json=as_json)

    reading(context, work)


@app.command()
def sleep(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Stop its workspace and keep what it holds."""
    from conductor.operations import environments

    async def work(app: App) -> None:
        await environments.sleep(app.world, name)
        await _tell(app, name, as_json=as_json)

    reading(context, work)


@app.command()
def wake(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """Start its workspace again."""
    from conductor.operations import environments

    async def work(app: App) -> None:
        await environments.wake(app.world, name)
        await _tell(app, name, as_json=as_json)

    reading(context, work)


@app.command()
def release(context: typer.Context, name: Named, as_json: AsJson = False) -> None:
    """End it; what was not pushed is gone."""
    from conductor.operations import environments

    async def work(app: App) -> None:
        view = await environments.find(app.world, name)
        await environments.release(app.world, view.row.environment.id)
        await _tell(app, view.row.environment.id, as_json=as_json)

    running(context, work)
