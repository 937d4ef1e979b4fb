"""Claims: who works on which issue. Of two that claim one at the same time exactly one gets it; the other is told who: 409."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from conductor.domain.access import Role
from conductor.domain.claim import Claim
from conductor.operations import issues
from conductor.web.api.issues import Repository
from conductor.web.api.schemas import AskForIssue, Page
from conductor.web.api.visible import repository_of, tracking_of
from conductor.web.idempotency import Key, OnceRoute
from conductor.web.problems import HttpProblem
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/claims", tags=["issues"], route_class=OnceRoute)
IssueNumber = Annotated[int, Query(ge=1, le=999_999_999, description="The issue's number.", examples=[12])]


@router.get("", operation_id="listClaims")
async def list_claims(
    caller: Reader,
    *,
    mine: Annotated[bool, Query(description="Only those of the token that asks.")] = False,
) -> Page[Claim]:
    """List who works on what, first to end first."""
    found = await issues.list_claims(
        tracking_of(caller), repositories=caller.repositories, principal=caller.name if mine else None
    )
    return Page(items=list(found))


@router.post("", operation_id="claimIssue", status_code=201)
async def claim(body: AskForIssue, caller: Runner, _key: Key = None) -> Claim:
    """Claim an open issue, or renew one's own claim: the answer names the branch that the work goes to, and when the claim ends."""
    made = await issues.claim(
        tracking_of(caller),
        repository_of(caller, body.repository),
        body.issue,
        principal=caller.name,
        keep_for=_span(body),
    )
    return await _did(caller, "issue.claim", made)


@router.post("/renew", operation_id="renewClaim")
async def renew(body: AskForIssue, caller: Runner, _key: Key = None) -> Claim:
    """Let one's own claim last longer, counted from now; it never gets shorter."""
    renewed = await issues.renew(
        tracking_of(caller),
        repository_of(caller, body.repository),
        body.issue,
        principal=caller.name,
        keep_for=_span(body),
    )
    return await _did(caller, "issue.renew", renewed)


@router.delete("", operation_id="releaseClaim", status_code=204)
async def release(
    caller: Runner,
    repository: Repository,
    issue: IssueNumber,
    *,
    force: Annotated[bool, Query(description="Another's, too: this needs the role admin.")] = False,
) -> None:
    """Free an issue that one has claimed. One that is free already is as good."""
    if force and not caller.token.role.includes(Role.ADMIN):
        raise HttpProblem(403, "freeing another's issue needs the role admin", remedy="Leave out `force`.")
    principal = None if force else caller.name
    gone = await issues.release(
        tracking_of(caller), repository_of(caller, repository), issue, principal=principal
    )
    if gone:
        await _did(caller, "issue.release", gone)


async def _did(caller: Caller, what: str, claim: Claim) -> Claim:
    detail = f"{claim.principal}, until {claim.expires_at.isoformat()}"
    await caller.did(what, str(claim.issue), repository=claim.repository, detail=detail)
    return claim


def _span(body: AskForIssue) -> timedelta | None:
    return timedelta(seconds=body.keep_for_seconds) if body.keep_for_seconds else None
