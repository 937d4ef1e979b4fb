"""conductor runs: what has been run, what is running, and what became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from conductor.cli.again import StageWord, run_again
from conductor.cli.commands.options import AsJson, Follow, NamedRun, RunId, Tail
from conductor.cli.notice import Notice
from conductor.cli.session import asking, running

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.cli.desk.desk import Desk

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
    from conductor.cli.output import console, print_json
    from conductor.cli.reporting import row_data
    from conductor.cli.tables import runs_table
    from conductor.domain.verdict import Verdict

    async def work(desk: Desk) -> None:
        wanted = Verdict(verdict) if verdict else None
        rows = await desk.list_runs(repository=repository, verdict=wanted, limit=limit)
        gone = await desk.interrupted(rows)
        if as_json:
            print_json([row_data(row, interrupted=row.run.id in gone) for row in rows])
        else:
            paper = console()
            paper.print(runs_table(rows, now=desk.now(), width=paper.width, interrupted=gone))

    asking(context, work)


@app.command()
def show(context: typer.Context, name: RunId = None, as_json: AsJson = False) -> None:
    """Show one run: its report, or how far it is."""
    from conductor.cli.output import console, print_json
    from conductor.cli.reporting import print_report, view_data
    from conductor.cli.tables import run_lines

    async def work(desk: Desk) -> None:
        view = await desk.show(name)
        gone = bool(await desk.interrupted([view.row]))
        if as_json:
            print_json(view_data(view, interrupted=gone))
        elif view.report:
            print_report(console(), view.report)
        else:
            console().print(run_lines(view, now=desk.now(), interrupted=gone))

    asking(context, work)


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

    async def work(desk: Desk) -> None:
        printer = LinePrinter(as_json=as_json, prefixed=workload is None)
        async for line in desk.logs(name, workload=workload, follow=follow, tail=tail):
            printer.print(line)

    asking(context, work)


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

    async def work(desk: Desk) -> None:
        row = await desk.find(name)
        async for event in desk.events(row.run.id, after=after, follow=follow):
            if as_json:
                print_json_line(event)
                continue
            sys.stdout.writelines(f"{line}\n" for line in plain_lines(row.run, event))
            sys.stdout.flush()

    asking(context, work)


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

    async def work(desk: Desk) -> None:
        found = await desk.report(name)
        wanted = "json" if as_json else form
        if wanted == "text":
            print_report(console(), found)
        else:
            sys.stdout.write(written(found, wanted).rstrip("\n") + "\n")

    asking(context, work)


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

    outcome = asking(context, lambda desk: desk.cancel(name), starts=True)
    if as_json:
        print_json(outcome)
    else:
        sys.stdout.write(f"{name}: {outcome.verdict}{f' ({outcome.reason})' if outcome.reason else ''}\n")
