"""conductor tests: test cases over the runs of a repository, and those of them that are in quarantine."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import duration, moment
from conductor.cli.commands.options import AsJson
from conductor.cli.session import reading

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.operations.history import Listed, Scope
    from conductor.ports.world import World

app = typer.Typer(
    help="Tests over runs: flaky, slow, failing since when; and quarantine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
quarantine = typer.Typer(
    help="Tests whose failures are known and decide nothing.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(quarantine, name="quarantine")

Repository = Annotated[
    str | None,
    typer.Option("--repository", metavar="NAME", help="Of this repository; without it, of the latest run's."),
]
Branch = Annotated[str | None, typer.Option("--branch", metavar="NAME", help="Only runs of this branch.")]
Runs = Annotated[
    int, typer.Option("--runs", min=1, max=1000, metavar="N", help="How many runs are looked back upon.")
]
Limit = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=10_000, metavar="N", help="At most so many tests.")
]
TestName = Annotated[
    str,
    typer.Argument(
        metavar="TEST",
        help="Its name, as `CLASS > NAME` or `SUITE: CLASS > NAME` where it is not the only one.",
    ),
]


@app.command()
def flaky(  # noqa: PLR0917 -- what is typed, not what is called
    context: typer.Context,
    repository: Repository = None,
    branch: Branch = None,
    runs: Runs = 100,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List tests that both passed and failed on the same commit, or passed only when tried again."""
    from conductor.operations import history

    scope = history.Scope(repository=repository, branch=branch, runs=runs)
    _list(context, history.flaky_tests, scope, limit=limit, as_json=as_json, none="No test is flaky")


@app.command()
def slowest(  # noqa: PLR0917 -- as above
    context: typer.Context,
    repository: Repository = None,
    branch: Branch = None,
    runs: Runs = 100,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the tests that take the longest, by their mean."""
    from conductor.operations import history

    scope = history.Scope(repository=repository, branch=branch, runs=runs)
    _list(context, history.slowest_tests, scope, limit=limit, as_json=as_json, none="No test took any time")


@app.command()
def failing(  # noqa: PLR0917 -- as above
    context: typer.Context,
    repository: Repository = None,
    branch: Branch = None,
    runs: Runs = 100,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List tests that are red now, with the run and commit since which they are; on the latest run's branch where none is named."""
    from conductor.operations import history

    scope = history.Scope(repository=repository, branch=branch, runs=runs)
    _list(context, history.failing_tests, scope, limit=limit, as_json=as_json, none="No test is failing")


@app.command("history")
def history_(  # noqa: PLR0917 -- as above
    context: typer.Context,
    name: TestName,
    repository: Repository = None,
    branch: Branch = None,
    runs: Runs = 100,
    as_json: AsJson = False,
) -> None:
    """Show how one test went, run by run, latest first."""
    from conductor.cli.histories import row_lines, sightings_table
    from conductor.cli.output import console, print_json
    from conductor.operations import history

    scope = history.Scope(repository=repository, branch=branch, runs=runs)

    async def work(app: App) -> None:
        row = await history.row_of(app.world, name, scope)
        if as_json:
            print_json(row)
            return
        paper = console()
        sys.stdout.writelines(row_lines(row))
        sys.stdout.flush()
        paper.print(sightings_table(row.sightings, now=app.world.clock.now(), width=paper.width))

    reading(context, work)


@quarantine.command("list")
def list_(context: typer.Context, repository: Repository = None, as_json: AsJson = False) -> None:
    """List what is in quarantine, and what was until its time was over."""
    from conductor.cli.histories import quarantine_table
    from conductor.cli.output import console, print_json
    from conductor.operations import history

    async def work(app: App) -> None:
        listed = await history.quarantined(app.world, repository=repository)
        if as_json:
            print_json(listed)
        else:
            paper = console()
            paper.print(quarantine_table(listed, now=app.world.clock.now(), width=paper.width))

    reading(context, work)


@quarantine.command()
def add(  # noqa: PLR0917 -- as above
    context: typer.Context,
    name: TestName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: reports say it.")],
    span: Annotated[
        timedelta | None,
        typer.Option("--for", parser=duration, metavar="DURATION", help="For how long, such as 24h or 7d."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=moment, metavar="TIME", help="Until then, in ISO 8601."),
    ] = None,
    repository: Repository = None,
    as_json: AsJson = False,
) -> None:
    """Let the failures of a test decide nothing from now on; without --for or --until, until it is removed."""
    import getpass

    from conductor.cli.output import print_json
    from conductor.errors import UsageError
    from conductor.operations import history

    if span and until:
        raise UsageError("--for and --until say the same", remedy="Leave one of them out.")

    async def work(app: App) -> None:
        end = app.world.clock.now() + span if span else until
        entry = await history.quarantine(
            app.world, name, repository=repository, reason=reason, until=end, principal=getpass.getuser()
        )
        if as_json:
            print_json(entry)
        else:
            ends = f"until {entry.until:%Y-%m-%d %H:%M} UTC" if entry.until else "until it is removed"
            sys.stdout.write(
                f"{history.in_words(entry.test)} of {entry.repository} is in quarantine {ends}\n"
            )

    reading(context, work)


@quarantine.command()
def remove(
    context: typer.Context, name: TestName, repository: Repository = None, as_json: AsJson = False
) -> None:
    """Let the failures of a test count again."""
    from conductor.cli.output import print_json
    from conductor.operations import history

    async def work(app: App) -> None:
        test = await history.release(app.world, name, repository=repository)
        if as_json:
            print_json({"released": test})
        else:
            sys.stdout.write(f"{history.in_words(test)} counts again\n")

    reading(context, work)


def _list(
    context: typer.Context,
    choose: Callable[[World, Scope], Awaitable[Listed]],
    scope: Scope,
    *,
    limit: int,
    as_json: bool,
    none: str,
) -> None:
    from conductor.cli.histories import listed_data, records_table
    from conductor.cli.output import console, print_json

    async def work(app: App) -> None:
        listed = await choose(app.world, scope)
        shown = listed.records[:limit]
        if as_json:
            print_json(listed_data(listed, shown))
            return
        paper = console()
        if shown:
            paper.print(records_table(shown, now=app.world.clock.now(), width=paper.width))
        else:
            sys.stdout.write(f"{none} in {listed.runs} runs of {listed.repository}.\n")

    reading(context, work)
