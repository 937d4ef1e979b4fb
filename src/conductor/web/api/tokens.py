"""Tokens: made, listed, revoked; and who the one that asks is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from conductor.operations import access
from conductor.web.api.schemas import MakeToken, Me, NewToken, Page, TokenView
from conductor.web.site import Operator, Reader

router = APIRouter(tags=["tokens"])


@router.get("/whoami", operation_id="whoAmI")
async def who_am_i(caller: Reader) -> Me:
    """Tell whose the token is, and what it is good for."""
    token = caller.token
    return Me(
        principal=caller.name,
        role=token.role,
        repositories=sorted(token.repositories),
        expires_at=token.expires_at,
    )


@router.get("/tokens", operation_id="listTokens")
async def list_tokens(caller: Operator) -> Page[TokenView]:
    """List all tokens, oldest first; revoked ones too."""
    now = caller.site.world.clock.now()
    found = await caller.site.service.access.tokens()
    return Page(items=[TokenView.of(token, now) for token in found])


@router.post("/tokens", operation_id="createToken", status_code=201)
async def create(body: MakeToken, caller: Operator) -> NewToken:
    """Make a token. Its text is in this answer and nowhere else; so an idempotency key is not taken here."""
    now = caller.site.world.clock.now()
    ends = now + timedelta(seconds=body.expires_in_seconds) if body.expires_in_seconds else None
    token, text = await access.create_token(
        caller.site.service.access,
        name=body.name,
        role=body.role,
        now=now,
        repositories=body.repositories,
        expires_at=ends,
        created_by=caller.name,
    )
    await caller.did("token.create", token.id, detail=f"{token.name}, {token.role}")
    return NewToken(token=TokenView.of(token, now), text=text)


@router.delete("/tokens/{token}", operation_id="revokeToken")
async def revoke(
    token: Annotated[str, Path(max_length=100, description="Its id or name.")], caller: Operator
) -> TokenView:
    """Revoke a token, for good. Twice is as good as once."""
    now = caller.site.world.clock.now()
    revoked = await access.revoke_token(caller.site.service.access, token, now=now)
    await caller.did("token.revoke", revoked.id, detail=revoked.name)
    return TokenView.of(revoked, now)
