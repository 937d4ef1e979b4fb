"""`SqlAccess`: tokens, the audit log, and what was answered under an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, or_, select, update

from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import answers, deeds, tokens
from conductor.domain.access import Deed, Token
from conductor.errors import ConflictError

ANSWERS_LAST = timedelta(hours=24)
"""How long an answer is given again."""
CLAIMS_LAST = timedelta(minutes=10)
"""How long a request may be at work; after that whoever claimed its key is taken for dead."""
_AT_WORK = 0
_MINUTE = timedelta(minutes=1)


class SqlAccess:
    """Access on the database of a store: `SqlAccess(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_token(self, token: Token) -> None:
        """Record it under its id; when it was used last stays as it was."""
        values = {
            "id": token.id,
            "created_at": token.created_at,
            "last_used_at": token.last_used_at,
            "token": token,
        }
        await self._database.write(
            "recording a token",
            lambda connection: self._database.upsert(connection, tokens, values, keep=("last_used_at",)),
        )

    async def find_token(self, token_id: str) -> Token | None:
        """Return it, revoked ones too."""
        found = await self._database.all(
            "looking for a token", select(tokens).where(tokens.c.id == clean(token_id))
        )
        return _token(found[0]) if found else None

    async def tokens(self) -> Sequence[Token]:
        """Return all, oldest first."""
        query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        return [_token(row) for row in await self._database.all("listing tokens", query)]

    async def used(self, token_id: str, *, at: datetime) -> None:
        """Record its last use; nothing is written where one less than a minute older is known."""
        older = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= at - _MINUTE)
        stale = and_(tokens.c.id == clean(token_id), older)
        if await self._database.all("looking for a token", select(tokens.c.id).where(stale)):
            use = update(tokens).where(stale).values(last_used_at=at)
            await self._execute("recording the use of a token", use)

    async def record(self, deed: Deed) -> None:
        """Add to the audit log."""
        names = [column.name for column in deeds.c if column.name != "number"]
        adding = deeds.insert().values({name: getattr(deed, name) for name in names})
        await self._execute("adding to the audit log", adding)

    async def deeds(self, *, before: int | None = None, limit: int = 100) -> Sequence[Deed]:
        """Return the latest ones, with a number smaller than `before`."""
        query: Select[Any] = select(deeds).order_by(deeds.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(deeds.c.number < before)
        return [Deed(**row._asdict()) for row in await self._database.all("reading the audit log", query)]

    async def claim(self, principal: str, key: str, *, request: str, at: datetime) -> tuple[int, str] | None:
        """Claim an idempotency key for a request; None: it is new and now claimed. Otherwise the recorded status and body.

        Raises ConflictError where the key was used for another request, or where its first request is still at work.
        """
        values = {"principal": principal, "key": key, "request": request, "claimed_at": at}

        def claim(connection: Connection) -> Row[Any] | None:
            connection.execute(delete(answers).where(_is_over(at)))
            mine = self._database.insert(answers).values({**values, "status": _AT_WORK, "body": ""})
            claimed = mine.on_conflict_do_nothing().returning(answers.c.key)
            if connection.execute(claimed).first():
                return None
            return connection.execute(select(answers).where(_is(principal, key))).first()

        known = await self._database.write("claiming an idempotency key", claim)
        if known is None:
            return None
        _refuse_others(known, request)
        return known.status, known.body

    async def answered(self, principal: str, key: str, *, status: int, body: str) -> None:
        """Record what the claimed request was answered; status 0 gives the key free again."""
        mine = _is(principal, key)
        done = update(answers).where(mine).values(status=status, body=body)
        await self._execute(
            "recording an answer", delete(answers).where(mine) if status == _AT_WORK else done
        )

    async def _execute(self, doing: str, statement: Any) -> None:
        await self._database.write(doing, lambda connection: connection.execute(statement).close())


def _token(row: Row[Any]) -> Token:
    token: Token = row.token
    return replace(token, last_used_at=row.last_used_at)


def _is(principal: str, key: str) -> Any:
    return and_(answers.c.principal == clean(principal), answers.c.key == clean(key))


def _is_over(now: datetime) -> Any:
    """Tell of an answer whether it is forgotten: given long ago, or never, by a request that must be dead."""
    died = and_(answers.c.status == _AT_WORK, answers.c.claimed_at < now - CLAIMS_LAST)
    return or_(answers.c.claimed_at < now - ANSWERS_LAST, died)


def _refuse_others(known: Row[Any], request: str) -> None:
    if known.request != clean(request):
        raise ConflictError(
            "this idempotency key was used for another request",
            remedy="Use a new key for each request; the same one only to repeat it.",
        )
    if known.status == _AT_WORK:
        raise ConflictError(
            "the first request with this idempotency key is still at work", remedy="Repeat it in a moment."
        )
