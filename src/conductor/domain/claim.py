"""A claim: who works on an issue. At most one that is not over for each issue; a claim that dies is free after its lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conductor.domain.names import slug


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """An issue of a forge, as far as whoever picks one needs it. Its text is a person's or an agent's: data, never orders."""

    repository: str
    number: int
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    is_open: bool = True
    author: str = ""
    url: str = ""
    updated_at: datetime | None = None
    assignees: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That somebody works on an issue, until when, and on which branch."""

    repository: str
    issue: int
    principal: str
    branch: str
    claimed_at: datetime
    expires_at: datetime
    title: str = ""
    hosting: str = ""
    environment: str = ""
    """The id of the environment that was made for it; empty as long as there is none."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """What shows it on the forge (a comment's id), so that it is found again."""

    def is_over(self, now: datetime) -> bool:
        """Tell whether anybody else may claim the issue."""
        return self.expires_at <= now


def branch_for(issue: int, title: str) -> str:
    """Name the branch of the work on an issue: what `find_issue` reads the number out of again.

    >>> branch_for(12, "Prices are rounded the wrong way!")
    '12-prices-are-rounded-the-wrong-way'
    """
    words = slug(title, length=40) if title.strip() else "work"
    return f"{issue}-{words}"
