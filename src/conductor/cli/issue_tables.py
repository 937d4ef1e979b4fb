"""Issues and claims as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from conductor.cli.columns import Column, table_of
from conductor.cli.tables import ago
from conductor.domain.claim import Claim
from conductor.operations.issues import IssueView
from conductor.reports.readable import clean, on_one_line

NO_ISSUES = "No open issue is like that."
NO_CLAIMS = "Nobody works on an issue."
_ISSUES = (Column("issue"), Column("title", 12), Column("labels", 6), Column("taken by", 6), Column("for"))
_CLAIMS = (Column("issue", 8), Column("title", 8), Column("branch", 8), Column("taken by", 6), Column("for"))


def issues_table(views: Sequence[IssueView], *, now: datetime, width: int) -> Table | Text:
    """List issues, those that are free with nothing behind them."""
    if not views:
        return Text(NO_ISSUES)
    return table_of(_ISSUES, [_issue_cells(view, now) for view in views], width=width)


def claims_table(claims: Sequence[Claim], *, now: datetime, width: int) -> Table | Text:
    """List who works on what."""
    if not claims:
        return Text(NO_CLAIMS)
    return table_of(_CLAIMS, [_claim_cells(claim, now) for claim in claims], width=width)


def issue_lines(view: IssueView) -> Iterator[str]:
    """Tell all of an issue: what is known of it, then its text."""
    issue, claim = view.issue, view.claim
    yield on_one_line(f"{issue.repository}#{issue.number}  {issue.title}")
    facts = {
        "state": "open" if issue.is_open else "closed",
        "labels": ", ".join(issue.labels),
        "author": issue.author,
        "taken by": f"{claim.principal} until {claim.expires_at:%Y-%m-%d %H:%M} UTC" if claim else "nobody",
        "branch": claim.branch if claim else "",
        "link": issue.url,
    }
    for name, fact in facts.items():
        if fact:
            yield f"{name}: {on_one_line(fact)}"
    if issue.body.strip():
        yield ""
        yield from clean(issue.body.strip()).splitlines()


def _issue_cells(view: IssueView, now: datetime) -> list[Text]:
    issue, claim = view.issue, view.claim
    return [
        Text(f"#{issue.number}"),
        Text(on_one_line(issue.title)),
        Text(on_one_line(", ".join(issue.labels))),
        Text(on_one_line(claim.principal) if claim else "", "cyan"),
        Text(ago(claim.expires_at - now) if claim else ""),
    ]


def _claim_cells(claim: Claim, now: datetime) -> list[Text]:
    return [
        Text(on_one_line(f"{claim.repository}#{claim.issue}")),
        Text(on_one_line(claim.title)),
        Text(on_one_line(claim.branch)),
        Text(on_one_line(claim.principal), "cyan"),
        Text(ago(claim.expires_at - now)),
    ]
