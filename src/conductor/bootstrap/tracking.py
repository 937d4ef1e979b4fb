"""Issues: of which forges, and who works on them, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.adapters.github.hosting import GitHubHosting
    from conductor.adapters.stores.statements import Database
    from conductor.ports.clock import Clock
    from conductor.ports.issues import Issues, Tracking
    from conductor.settings import Settings


def tracking_of(
    settings: Settings,
    database: Database,
    clock: Clock,
    github: GitHubHosting | None,
) -> Tracking:
    """Give what keeps track of issues; the folder of bare repositories is asked before GitHub."""
    from conductor.adapters.stores.claims import SqlClaims
    from conductor.ports.issues import Tracking

    found: list[Issues] = []
    if settings.repositories:
        from conductor.adapters.folder.issues import FolderIssues

        found.append(FolderIssues(settings.repositories, now=clock.now))
    if github:
        found.append(github.issues(label=settings.claim_label))
    return Tracking(
        claims=SqlClaims(database),
        issues={one.name: one for one in found},
        clock=clock,
        claim_for=settings.claim_for,
    )
