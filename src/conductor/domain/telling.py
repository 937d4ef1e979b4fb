"""What is told of a run on its forge: texts that are fit to be shown there, made before and apart from the telling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conductor.domain.run import Run, Status
from conductor.domain.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A failure at its place in the repository. `path` is relative to the root; lines count from 1."""

    path: str
    line: int
    title: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """How an attempt stands, or how it ended. Law: its Markdown is escaped and masked, within `longest` of whoever made it."""

    run: Run
    state: Status
    verdict: Verdict | None = None
    """Set once it has ended."""
    title: str
    """One line of plain text."""
    summary: str
    """Markdown: the stages with their times, the links."""
    body: str
    """Markdown: the whole report, for a comment."""
    annotations: tuple[Annotation, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """Name -> address; `run` is the run's own page, where there is one."""
    has_failures: bool = False
    """Test cases failed: they can be run again alone."""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Name what it says: two that say the same have the same one."""
        parts = (
            self.run.id,
            str(self.run.attempt),
            self.state,
            self.verdict or "",
            self.title,
            self.summary,
            self.body,
            repr(self.annotations),
            repr(sorted(self.links.items())),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
