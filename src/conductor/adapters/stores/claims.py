"""`SqlClaims`: who works on which issue. The row's key decides between those who claim it at the same time.

Law: each verb is one transaction that takes the row first. On SQLite there is one writer; on Postgres an insert locks the row it meets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import claims
from conductor.domain.claim import Claim
from conductor.errors import ConflictError

_TURNS = 10
"""A claim may be freed between two looks at it: so often it is tried again."""


class SqlClaims:
    """Claims on the database of a store: `SqlClaims(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, claim: Claim) -> Claim:
        """Take the issue, or return the claim that stands: of another who was first, or one's own, renewed."""
        return await self._database.write("claiming an issue", partial(self._claim, claim=claim))

    async def update(self, claim: Claim) -> None:
        """Record new marks, environment or end of a claim that its principal still holds; of one that is lost: nothing."""

        def record(connection: Connection) -> None:
            standing = _standing(connection, claim.repository, claim.issue)
            if standing and _is_same(standing, claim):
                _write(connection, claim)

        await self._database.write("recording a claim", record)

    async def release(
        self,
        repository: str,
        issue: int,
        *,
        principal: str | None = None,
        over_before: datetime | None = None,
    ) -> Claim | None:
        """Free the issue and return the claim that was; None where there is none, or none that may be freed so."""
        gone = delete(claims).where(_is(repository, issue))
        if principal is not None:
            gone = gone.where(claims.c.principal == clean(principal))
        if over_before is not None:
            gone = gone.where(claims.c.expires_at <= over_before)
        freeing = gone.returning(claims.c.claim)
        return await self._database.write(
            "freeing an issue", lambda connection: connection.execute(freeing).scalar_one_or_none()
        )

    async def find(self, repository: str, issue: int) -> Claim | None:
        """Return the claim on an issue, over or not."""
        query = select(claims.c.claim).where(_is(repository, issue))
        found = await self._database.all("looking for a claim", query)
        return next((row.claim for row in found), None)

    async def claims(
        self, *, repositories: Collection[str] | None = None, over_before: datetime | None = None
    ) -> Sequence[Claim]:
        """Return claims, first to end first; with `over_before` those that are over by then."""
        query = select(claims.c.claim).order_by(claims.c.expires_at, claims.c.repository, claims.c.issue)
        if repositories is not None:
            query = query.where(claims.c.repository.in_([_key(name) for name in repositories]))
        if over_before is not None:
            query = query.where(claims.c.expires_at <= over_before)
        return [row.claim for row in await self._database.all("listing claims", query)]

    def _claim(self, connection: Connection, *, claim: Claim) -> Claim:
        for _ in range(_TURNS):
            if self._take(connection, claim):
                return claim
            standing = _standing(connection, claim.repository, claim.issue)
            if standing is None:
                continue
            if standing.principal != claim.principal:
                return standing
            renewed = replace(
                standing,
                expires_at=max(standing.expires_at, claim.expires_at),
                environment=claim.environment or standing.environment,
            )
            _write(connection, renewed)
            return renewed
        raise ConflictError(
            f"{claim.repository}#{claim.issue} is claimed and freed again all the time", remedy="Try again."
        )

    def _take(self, connection: Connection, claim: Claim) -> bool:
        """Write the row where there is none, or in place of one that is over: one statement, so that one of several gets it."""
        values = _values(claim)
        rest = {name: values[name] for name in ("principal", "expires_at", "claim")}
        taking = (
            self._database.insert(claims)
            .values(values)
            .on_conflict_do_update(
                index_elements=["repository", "issue"],
                set_=rest,
                where=claims.c.expires_at <= claim.claimed_at,
            )
        )
        return connection.execute(taking.returning(claims.c.issue)).first() is not None


def _standing(connection: Connection, repository: str, issue: int) -> Claim | None:
    """Read the row and keep it from changing until the transaction ends."""
    query = select(claims.c.claim).where(_is(repository, issue)).with_for_update()
    return connection.execute(query).scalar_one_or_none()


def _write(connection: Connection, claim: Claim) -> None:
    changed = update(claims).where(_is(claim.repository, claim.issue))
    connection.execute(changed.values(expires_at=claim.expires_at, claim=claim)).close()


def _values(claim: Claim) -> dict[str, Any]:
    return {
        "repository": _key(claim.repository),
        "issue": claim.issue,
        "principal": claim.principal,
        "expires_at": claim.expires_at,
        "claim": claim,
    }


def _is_same(standing: Claim, claim: Claim) -> bool:
    """Tell whether it is the claim that was made then, and not a later one."""
    return (standing.principal, standing.claimed_at) == (claim.principal, claim.claimed_at)


def _is(repository: str, issue: int) -> Any:
    return and_(claims.c.repository == _key(repository), claims.c.issue == issue)


def _key(repository: str) -> str:
    return clean(repository.lower())
