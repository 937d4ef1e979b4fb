"""conductor runs: what has been run, what is running, and what became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from conductor.cli.again import StageWord, run_again
from conductor.cli.commands.options import AsJson, Follow, NamedRun, RunId, Tail
from conductor.cli.notice import Notice
from conductor.cli.session import reading, running

if TYPE_CHECKING:
    from conductor.bootstrap import App

app = typer.Typer(
    help="What has been run: list, logs, reports, resume, cancel.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

VerdictWord = Literal["passed", "failed", "broken", "cancelled", "superseded"]
ReportFormat = Literal["text", "markdown", "json", "digest"]


@app.command("list")
def list_(
    context: typer.Context,
    repository: Annotated[
        str | None, typer.Option("--repository", metavar="NAME", help="Only of this repository.")
    ] = None,
    verdict: Annotated[VerdictWord | None, typer.Option("--verdict", help="Only with this verdict.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, metavar="N", help="At most so many.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, latest first."""
    from conductor.cli.interrupted import interrupted
    from conductor.cli.output import console, print_json
    from conductor.cli.reporting import row_data
    from conductor.cli.tables import runs_table
    from conductor.domain.verdict import Verdict
    from conductor.operations import runs

    async def work(app: App) -> None:
        wanted = Verdict(verdict) if verdict else None
        rows = await runs.list_runs(app.world, repository=repository, verdict=wanted, limit=limit)
        gone = await interrupted(rows, settings=app.settings)
        if as_json:
            print_json([row_data(row, interrupted=row.run.id in gone) for row in rows])
        else:
            paper = console()
            paper.print(runs_table(rows, now=app.world.clock.now(), width=paper.width, interrupted=gone))

    reading(context, work)


@app.command()
def show(context: typer.Context, name: RunId = None, as_json: AsJson = False) -> None:
    """Show one run: its report, or how far it is."""
    from conductor.cli.interrupted import interrupted
    from conductor.cli.output import console, print_json
    from conductor.cli.reporting import print_report, view_data
    from conductor.cli.tables import run_lines
    from conductor.operations import runs

    async def work(app: App) -> None:
        view = await runs.show(app.world, name)
        gone = bool(await interrupted([view.row], settings=app.settings))
        if as_json:
            print_json(view_data(view, interrupted=gone))
        elif view.report:
            print_report(console(), view.report)
        else:
            console().print(run_lines(view, now=app.world.clock.now(), interrupted=gone))

    reading(context, work)


@app.command()
def logs(  # noqa: PLR0917 -- what is typed, not what is called
    context: typer.Context,
    name: RunId = None,
    workload: Annotated[
        str | None,
        typer.Argument(
            metavar="WORKLOAD", help="A service, a suite's job or a build; all where none is named."
        ),
    ] = None,
    follow: Follow = False,
    tail: Tail = None,
    as_json: AsJson = False,
) -> None:
    """Print what the containers and builds of a run wrote. They stay when the stack has gone."""
    from conductor.cli.printing import LinePrinter
    from conductor.operations import runs

    async def work(app: App) -> None:
        printer = LinePrinter(as_json=as_json, prefixed=workload is None)
        async for line in runs.logs(app.world, name, workload=workload, follow=follow, tail=tail):
            printer.print(line)

    reading(context, work)


@app.command()
def events(
    context: typer.Context,
    name: RunId = None,
    after: Annotated[
        int, typer.Option("--after", min=0, metavar="SEQ", help="Only what came after this number.")
    ] = 0,
    follow: Follow = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one event a line.")] = False,
) -> None:
    """Print what happened in a run, in order."""
    from conductor.cli.output import print_json_line
    from conductor.cli.plain import plain_lines
    from conductor.domain.event import Event
    from conductor.operations import runs

    async def work(app: App) -> None:
        row = await runs.find(app.world, name)

        def tell(event: Event) -> None:
            if as_json:
                print_json_line(event)
                return
            sys.stdout.writelines(f"{line}\n" for line in plain_lines(row.run, event))
            sys.stdout.flush()

        if not follow:
            for event in await runs.events(app.world, row.run.id, after=after):
                tell(event)
            return
        async for event in runs.follow_events(app.world, row.run.id, after=after):
            tell(event)

    reading(context, work)


@app.command()
def report(
    context: typer.Context,
    name: RunId = None,
    form: Annotated[
        ReportFormat,
        typer.Option("--format", help="For a terminal, an issue, a program, or an agent (8 kB at most)."),
    ] = "text",
    as_json: AsJson = False,
) -> None:
    """Print the report of a run."""
    from conductor.cli.output import console
    from conductor.cli.reporting import print_report, written
    from conductor.operations import runs

    async def work(app: App) -> None:
        found = await runs.report(app.world, name)
        wanted = "json" if as_json else form
        if wanted == "text":
            print_report(console(), found)
        else:
            sys.stdout.write(written(found, wanted).rstrip("\n") + "\n")

    reading(context, work)


@app.command()
def resume(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="The run's id or its beginning; the latest interrupted one where none is named.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print events as JSON, one a line; the last is the outcome.")
    ] = False,
) -> None:
    """Go on with a run whose process is gone, where it was."""
    with Notice("resuming ...", as_json=as_json) as notice:
        from conductor.cli.accompany import accompany
        from conductor.operations import start_run

        async def work(app: App) -> int:
            run, handle = await start_run.resume(app.world, name)
            notice.clear()
            return (await accompany(app, run, handle, as_json=as_json)).exit_code

        code = running(context, work)
    raise typer.Exit(code)


@app.command()
def rerun(
    context: typer.Context,
    name: RunId = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only the tests that failed, as `tests.rerun` says.")
    ] = False,
    stage: Annotated[
        StageWord,
        typer.Option("--from", help="tests: in the kept stack; stack: a new one; build: everything."),
    ] = "tests",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print events as JSON, one a line; the last is the outcome.")
    ] = False,
) -> None:
    """Run a run's tests again, with the very same images."""
    raise typer.Exit(run_again(context, name, stage=stage, failed_only=failed, as_json=as_json))


@app.command()
def cancel(context: typer.Context, name: NamedRun, as_json: AsJson = False) -> None:
    """Stop a run for good: its tests get their grace, its logs are kept, its stack goes by its rule."""
    from conductor.cli.output import print_json
    from conductor.operations import start_run

    outcome = running(context, lambda app: start_run.cancel(app.world, name))
    if as_json:
        print_json(outcome)
    else:
        sys.stdout.write(f"{name}: {outcome.verdict}{f' ({outcome.reason})' if outcome.reason else ''}\n")
