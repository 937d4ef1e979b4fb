"""Issues, and who works on which: list, show, claim, renew, release, and free what is over.

Laws. The database decides who has an issue; the forge shows it, and where it cannot be told just now it is told later. A claim ends by its
lease, or when the issue is closed; before that only whoever made it frees it, or an administrator (`principal=None`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from conductor.domain.claim import Claim, Issue, branch_for
from conductor.domain.globs import matches
from conductor.errors import ConductorError, ConflictError, NotFoundError, RefusedError, UsageError
from conductor.ports.issues import Issues, OwnIssues, Tracking

NOT_SHOWN = "not-shown"
"""The mark of a claim that the forge refuses to show: it is not tried again."""
LONGEST_CLAIM = timedelta(days=7)
SHOWN_WITHIN = timedelta(minutes=1)
"""So long whoever made a claim has to show it; after that a server does."""
MOST_ISSUES = 100

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueView:
    """An issue, and who works on it; None: nobody, it may be claimed."""

    issue: Issue
    claim: Claim | None = None


async def list_issues(
    tracking: Tracking, repository: str, *, labels: Sequence[str] = (), limit: int = 50
) -> Sequence[IssueView]:
    """Return open issues that bear all of the labels, oldest first, with who works on them."""
    _, found = await _ask(
        tracking,
        repository,
        lambda issues: issues.list_issues(repository, labels=labels, limit=min(limit, MOST_ISSUES)),
    )
    now = tracking.clock.now()
    claimed = {
        claim.issue: claim
        for claim in await tracking.claims.claims(repositories=(repository,))
        if not claim.is_over(now)
    }
    return [IssueView(issue=issue, claim=claimed.get(issue.number)) for issue in found]


async def find_issue(tracking: Tracking, repository: str, number: int) -> IssueView:
    """Return one issue, open or closed, with who works on it. NotFoundError where there is none."""
    _, issue = await _ask(tracking, repository, lambda issues: issues.find_issue(repository, number))
    claim = await tracking.claims.find(repository, number)
    over = claim is None or claim.is_over(tracking.clock.now())
    return IssueView(issue=issue, claim=None if over else claim)


async def list_claims(
    tracking: Tracking, *, repositories: Collection[str] | None = None, principal: str | None = None
) -> Sequence[Claim]:
    """Return claims that are not over, first to end first."""
    now = tracking.clock.now()
    found = await tracking.claims.claims(repositories=repositories)
    return [one for one in found if not one.is_over(now) and principal in (None, one.principal)]


async def claim(
    tracking: Tracking,
    repository: str,
    number: int,
    *,
    principal: str,
    keep_for: timedelta | None = None,
    environment: str = "",
) -> Claim:
    """Claim an issue, or renew one's own claim. ConflictError names who was first; UsageError where the issue is closed."""
    hosting, issue = await _ask(tracking, repository, lambda issues: issues.find_issue(repository, number))
    if not issue.is_open:
        raise UsageError(f"{repository}#{number} is closed", remedy="Claim an open one, or reopen it.")
    now = tracking.clock.now()
    wanted = Claim(
        repository=issue.repository,
        issue=number,
        principal=principal,
        branch=branch_for(number, issue.title),
        claimed_at=now,
        expires_at=now + _span(tracking, keep_for),
        title=issue.title,
        hosting=hosting.name,
        environment=environment,
    )
    standing = await tracking.claims.claim(wanted)
    _refuse_another(standing, principal)
    return await _shown(tracking, standing)


async def renew(
    tracking: Tracking,
    repository: str,
    number: int,
    *,
    principal: str,
    keep_for: timedelta | None = None,
    environment: str = "",
) -> Claim:
    """Let one's own claim last until `keep_for` from now, where that is later than its end. NotFoundError where it was freed."""
    standing = await tracking.claims.find(repository, number)
    if standing is None:
        raise _unclaimed(repository, number)
    _refuse_another(standing, principal)
    now = tracking.clock.now()
    wanted = replace(
        standing, claimed_at=now, expires_at=now + _span(tracking, keep_for), environment=environment
    )
    renewed = await tracking.claims.claim(wanted)
    _refuse_another(renewed, principal)
    return await _shown(tracking, renewed)


async def work_on(
    tracking: Tracking, repository: str, number: int, *, principal: str, environment: str = ""
) -> Claim | None:
    """Renew one's own claim since there is work on it, and note the environment; None where it is free or another's, which stays so."""
    standing = await tracking.claims.find(repository, number)
    if standing is None or standing.principal != principal:
        return None
    try:
        return await renew(tracking, repository, number, principal=principal, environment=environment)
    except (ConflictError, NotFoundError):  # somebody was faster
        return None


async def release(
    tracking: Tracking, repository: str, number: int, *, principal: str | None = None
) -> Claim | None:
    """Free an issue: one's own, or, as an administrator (None), anybody's. Returns the claim that was; None: it was free.

    ConflictError where it is another's. What the forge shows goes with it, later where it cannot be reached now.
    """
    standing = await tracking.claims.find(repository, number)
    now = tracking.clock.now()
    if standing is None or (standing.is_over(now) and principal not in (None, standing.principal)):
        return None
    if principal is not None:
        _refuse_another(standing, principal)
    ended = replace(standing, expires_at=min(standing.expires_at, now))
    await tracking.claims.update(ended)
    try:
        await _let_go(tracking, ended)
    except ConductorError as error:
        _log.warning("%s#%s is free, and the forge will show it later: %s", repository, number, error.message)
    return ended


async def free(tracking: Tracking) -> Counter[str]:
    """Free what is over, and show what could not be shown. Counts `freed`, `shown`, `failed`."""
    now = tracking.clock.now()
    done: Counter[str] = Counter()
    for one in await tracking.claims.claims():
        try:
            if one.is_over(now):
                done["freed"] += await _let_go(tracking, one)
            elif _is_unshown(one, now) and (await _shown(tracking, one)).marks:
                done["shown"] += 1
        except ConductorError as error:
            _log.warning("freeing %s#%s: %s", one.repository, one.issue, error.message)
            done["failed"] += 1
    return done


async def free_closed(tracking: Tracking) -> Counter[str]:
    """Free the claims on issues that are closed, or gone. Counts `freed`, `failed`."""
    done: Counter[str] = Counter()
    for one in await list_claims(tracking):
        try:
            if await _is_closed(tracking, one):
                await release(tracking, one.repository, one.issue)
                done["freed"] += 1
        except ConductorError as error:
            _log.warning("looking whether %s#%s is closed: %s", one.repository, one.issue, error.message)
            done["failed"] += 1
    return done


async def create_issue(
    tracking: Tracking,
    repository: str,
    *,
    title: str,
    body: str = "",
    labels: Sequence[str] = (),
    author: str = "",
) -> Issue:
    """Open an issue, where the forge has no other way in. RefusedError where issues are written on the forge itself."""
    if not title.strip():
        raise UsageError("an issue needs a title", remedy="Say in one line what is to be done.")
    _, issue = await _ask(
        tracking,
        repository,
        lambda issues: _own(issues, repository).create_issue(
            repository, title=title, body=body, labels=labels, author=author
        ),
    )
    return issue


async def close_issue(tracking: Tracking, repository: str, number: int) -> Issue:
    """Close an issue and free it. RefusedError where issues are closed on the forge itself."""
    _, issue = await _ask(
        tracking, repository, lambda issues: _own(issues, repository).close_issue(repository, number)
    )
    await release(tracking, repository, number)
    return issue


async def _ask(
    tracking: Tracking, repository: str, question: Callable[[Issues], Awaitable[T]]
) -> tuple[Issues, T]:
    """Ask the forges in turn; the first that has the repository answers."""
    if not any(matches(pattern.lower(), repository.lower()) for pattern in tracking.allowed):
        raise RefusedError(
            f"{repository} is not on the list of allowed repositories",
            remedy="The server's CONDUCTOR_ALLOW names them.",
        )
    said: list[NotFoundError] = []
    for issues in tracking.issues.values():
        try:
            return issues, await question(issues)
        except NotFoundError as error:
            said.append(error)
    raise said[0] if said else _no_forge(repository)


def _own(issues: Issues, repository: str) -> OwnIssues:
    if isinstance(issues, OwnIssues):
        return issues
    raise RefusedError(
        f"issues of {repository} are opened and closed on {issues.name}",
        remedy="Do it there, and claim it here.",
    )


def _is_unshown(claim: Claim, now: datetime) -> bool:
    return not claim.marks and claim.claimed_at <= now - SHOWN_WITHIN


async def _is_closed(tracking: Tracking, claim: Claim) -> bool:
    issues = tracking.issues.get(claim.hosting)
    if issues is None:
        return False
    try:
        return not (await issues.find_issue(claim.repository, claim.issue)).is_open
    except NotFoundError:
        return True


async def _shown(tracking: Tracking, claim: Claim) -> Claim:
    """Show it on the forge; where that cannot be done the claim stands, and is shown later if it can ever be."""
    issues = tracking.issues.get(claim.hosting)
    if issues is None or NOT_SHOWN in claim.marks:
        return claim
    try:
        shown = await issues.show_claim(claim)
    except (RefusedError, NotFoundError) as error:
        shown = replace(claim, marks={NOT_SHOWN: error.message})
    except ConductorError as error:
        _log.warning("the claim on %s#%s is shown later: %s", claim.repository, claim.issue, error.message)
        return claim
    if shown.marks != claim.marks:
        await tracking.claims.update(shown)
    return shown


async def _let_go(tracking: Tracking, claim: Claim) -> bool:
    """Take a claim that is over off the forge, then off the record. Somebody who took the issue meanwhile is shown again."""
    issues = tracking.issues.get(claim.hosting)
    if issues and NOT_SHOWN not in claim.marks:
        try:
            await issues.hide_claim(claim)
        except (RefusedError, NotFoundError) as error:
            _log.warning("%s#%s still shows a claim: %s", claim.repository, claim.issue, error.message)
    now = tracking.clock.now()
    freed = await tracking.claims.release(claim.repository, claim.issue, over_before=now)
    if freed is None and (later := await tracking.claims.find(claim.repository, claim.issue)):
        await _shown(tracking, later)
    return freed is not None


def _span(tracking: Tracking, keep_for: timedelta | None) -> timedelta:
    span = tracking.claim_for if keep_for is None else keep_for
    if not timedelta(0) < span <= LONGEST_CLAIM:
        raise UsageError(
            f"a claim cannot last {span}", remedy=f"Ask for at most {LONGEST_CLAIM.days} days, and renew it."
        )
    return span


def _refuse_another(standing: Claim, principal: str) -> None:
    if standing.principal != principal:
        raise ConflictError(
            f"{standing.principal} works on {standing.repository}#{standing.issue} until "
            f"{standing.expires_at:%Y-%m-%d %H:%M} UTC",
            remedy="Take another issue; it is free again when that claim is released or over.",
        )


def _unclaimed(repository: str, number: int) -> NotFoundError:
    return NotFoundError(f"nobody has claimed {repository}#{number}", remedy="Claim it.")


def _no_forge(repository: str) -> NotFoundError:
    return NotFoundError(
        f"there is no forge to ask for the issues of {repository}",
        remedy="Connect GitHub (docs/howto/connect-github.md), or set CONDUCTOR_REPOSITORIES.",
    )
