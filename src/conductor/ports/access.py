"""Tokens, the audit log, and what was asked for under an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from conductor.domain.access import Deed, Token


class Access(Protocol):
    """Law: no secret is kept, only digests."""

    async def save_token(self, token: Token) -> None:
        """Record it under its id."""
        ...

    async def find_token(self, token_id: str) -> Token | None:
        """Return it, revoked ones too."""
        ...

    async def tokens(self) -> Sequence[Token]:
        """Return all, oldest first."""
        ...

    async def used(self, token_id: str, *, at: datetime) -> None:
        """Record its last use; whole minutes are enough."""
        ...

    async def record(self, deed: Deed) -> None:
        """Add to the audit log."""
        ...

    async def deeds(self, *, before: int | None = None, limit: int = 100) -> Sequence[Deed]:
        """Return the latest ones, with a number smaller than `before`."""
        ...

    async def claim(self, principal: str, key: str, *, request: str, at: datetime) -> tuple[int, str] | None:
        """Claim an idempotency key for a request (its fingerprint); None: it is new and now claimed.

        Otherwise the recorded answer, as status and body. Raises ConflictError where the key was used for another request, or where its
        first request is still at work.
        """
        ...

    async def answered(self, principal: str, key: str, *, status: int, body: str) -> None:
        """Record what the claimed request was answered; status 0 gives the key free again."""
        ...
