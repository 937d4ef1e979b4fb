"""conductor issues: what there is to do, who does it, and on which branch."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import IssueName, duration, issue
from conductor.cli.commands.options import AsJson
from conductor.cli.session import asking

if TYPE_CHECKING:
    from conductor.cli.desk.desk import Desk
    from conductor.domain.claim import Claim, Issue

app = typer.Typer(
    help="Issues: list, show, claim, renew, release; and, of bare repositories, create and close.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Repository = Annotated[
    str, typer.Argument(metavar="REPOSITORY", help="As its forge calls it, such as acme/shop.")
]
That = Annotated[
    IssueName, typer.Argument(metavar="REPOSITORY#NUMBER", parser=issue, help="Such as acme/shop#12.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="NAME", help="Each time once more for another.")
]
KeepFor = Annotated[
    timedelta | None,
    typer.Option("--for", parser=duration, metavar="DURATION", help="For how long, such as 8h; 7d at most."),
]


@app.command("list")
def list_(
    context: typer.Context,
    repository: Repository,
    label: Labels = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List open issues that bear all of the labels, oldest first, with who works on them."""
    from conductor.cli.issue_tables import issues_table
    from conductor.cli.output import console, print_json

    async def work(desk: Desk) -> None:
        found = await desk.issues.list_issues(repository, labels=label or (), limit=limit)
        if as_json:
            print_json(found)
        else:
            paper = console()
            paper.print(issues_table(found, now=desk.now(), width=paper.width))

    asking(context, work)


@app.command()
def show(context: typer.Context, name: That, as_json: AsJson = False) -> None:
    """Show an issue, open or closed, with its text."""
    from conductor.cli.issue_tables import issue_lines
    from conductor.cli.output import print_json

    async def work(desk: Desk) -> None:
        found = await desk.issues.find(name.repository, name.number)
        if as_json:
            print_json(found)
        else:
            sys.stdout.writelines(f"{line}\n" for line in issue_lines(found))

    asking(context, work)


@app.command()
def claims(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    as_json: AsJson = False,
) -> None:
    """List who works on what, first to end first."""
    from conductor.cli.issue_tables import claims_table
    from conductor.cli.output import console, print_json

    async def work(desk: Desk) -> None:
        found = await desk.issues.claims(mine=mine)
        if as_json:
            print_json(found)
        else:
            paper = console()
            paper.print(claims_table(found, now=desk.now(), width=paper.width))

    asking(context, work)


@app.command()
def claim(context: typer.Context, name: That, span: KeepFor = None, as_json: AsJson = False) -> None:
    """Claim an issue: nobody else gets it until you release it, or the time is over. Prints the branch that the work goes to."""
    _tell_claim(
        context, lambda desk: desk.issues.claim(name.repository, name.number, keep_for=span), as_json=as_json
    )


@app.command()
def renew(context: typer.Context, name: That, span: KeepFor = None, as_json: AsJson = False) -> None:
    """Let your claim last longer, counted from now."""
    _tell_claim(
        context, lambda desk: desk.issues.renew(name.repository, name.number, keep_for=span), as_json=as_json
    )


@app.command()
def release(
    context: typer.Context,
    name: That,
    force: Annotated[
        bool, typer.Option("--force", help="Another's, too; on a server this needs the role admin.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Free an issue for others."""
    from conductor.cli.output import print_json

    repository, number = name.repository, name.number

    async def work(desk: Desk) -> None:
        await desk.issues.release(repository, number, force=force)
        if as_json:
            print_json({"released": f"{repository}#{number}"})
        else:
            sys.stdout.write(f"{repository}#{number} is free\n")

    asking(context, work)


@app.command()
def create(  # noqa: PLR0917 -- what is typed, not what is called
    context: typer.Context,
    repository: Repository,
    title: Annotated[
        str, typer.Option("--title", "-t", metavar="TEXT", help="What is to be done, in a line.")
    ],
    body: Annotated[str, typer.Option("--body", "-b", metavar="TEXT", help="More of it, in Markdown.")] = "",
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Open an issue of a bare repository. GitHub's are opened there."""
    _tell_issue(
        context,
        lambda desk: desk.issues.create(repository, title=title, body=body, labels=label or ()),
        as_json=as_json,
    )


@app.command()
def close(context: typer.Context, name: That, as_json: AsJson = False) -> None:
    """Close an issue of a bare repository, which frees it. GitHub's are closed there."""
    _tell_issue(context, lambda desk: desk.issues.close(name.repository, name.number), as_json=as_json)


def _tell_claim(context: typer.Context, ask: Callable[[Desk], Awaitable[Claim]], *, as_json: bool) -> None:
    from conductor.cli.output import print_json

    made = asking(context, ask)
    if as_json:
        print_json(made)
    else:
        until = f"{made.expires_at:%Y-%m-%d %H:%M} UTC"
        sys.stdout.write(
            f"{made.repository}#{made.issue} is yours ({made.principal}) until {until}\nbranch: {made.branch}\n"
        )


def _tell_issue(context: typer.Context, ask: Callable[[Desk], Awaitable[Issue]], *, as_json: bool) -> None:
    from conductor.cli.output import print_json
    from conductor.reports.readable import on_one_line

    made = asking(context, ask)
    if as_json:
        print_json(made)
    else:
        standing = "" if made.is_open else " (closed)"
        sys.stdout.write(f"{made.repository}#{made.number}{standing}: {on_one_line(made.title)}\n")
