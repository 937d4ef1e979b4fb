"""Tokens: made once and shown once, verified in constant time, revoked for good; and the record of who did what.

Law: nothing here keeps, logs or returns the secret of a token, but for the one moment in which it is made.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from conductor.domain.access import Deed, Role, Token
from conductor.domain.names import ALPHABET
from conductor.errors import ConflictError, NotFoundError, UsageError
from conductor.ports.access import Access

PREFIX = "cdr"
_ID_LENGTH = 8
_SECRET_BYTES = 32
_LONGEST_NAME = 100


async def create_token(
    access: Access,
    *,
    name: str,
    role: Role,
    now: datetime,
    repositories: Collection[str] = (),
    expires_at: datetime | None = None,
    created_by: str = "",
) -> tuple[Token, str]:
    """Make a token and return it with its text, `cdr_<id>_<secret>`, which nobody can find out again.

    Raises UsageError where the name or the end makes no sense, ConflictError where a valid token has that name.
    """
    _check(name, expires_at, now)
    if any(known.name == name and known.is_valid(now) for known in await access.tokens()):
        raise ConflictError(f"there is a token {name!r} already", remedy="Revoke it, or choose another name.")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        id="".join(secrets.choice(ALPHABET) for _ in range(_ID_LENGTH)),
        name=name,
        role=role,
        repositories=frozenset(repositories),
        digest=_digest(secret),
        created_at=now,
        created_by=created_by,
        expires_at=expires_at,
    )
    await access.save_token(token)
    return token, f"{PREFIX}_{token.id}_{secret}"


async def verify(access: Access, text: str, *, now: datetime) -> Token | None:
    """Return the token that this is the text of, if it opens anything now; its last use is recorded to the minute."""
    token_id, secret = _parts(text)
    token = await access.find_token(token_id) if token_id else None
    digest = token.digest if token else _digest("")
    matches = hmac.compare_digest(_digest(secret), digest)
    if token is None or not matches or not token.is_valid(now):
        return None
    minute = now.replace(second=0, microsecond=0)
    if token.last_used_at is None or token.last_used_at < minute:
        await access.used(token.id, at=minute)
    return token


async def revoke_token(access: Access, name: str, *, now: datetime) -> Token:
    """Revoke the token of that id, or the valid one of that name. Twice is as good as once. NotFoundError where there is none."""
    known = await access.tokens()
    named = [one for one in known if one.id == name] or [
        one for one in known if one.name == name and one.is_valid(now)
    ]
    if not named:
        raise NotFoundError(f"there is no token {name!r}", remedy="`conductor tokens list` shows them.")
    token = named[0]
    if token.revoked_at is None:
        token = replace(token, revoked_at=now)
        await access.save_token(token)
    return token


async def record(
    access: Access,
    *,
    at: datetime,
    principal: str,
    what: str,
    subject: str = "",
    repository: str = "",
    detail: str = "",
) -> None:
    """Add a line to the audit log: who did what to which object."""
    deed = Deed(at=at, principal=principal, what=what, subject=subject, repository=repository, detail=detail)
    await access.record(deed)


def _check(name: str, expires_at: datetime | None, now: datetime) -> None:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"a token cannot be called {name[:_LONGEST_NAME]!r}",
            remedy=f"Choose a name of 1 to {_LONGEST_NAME} printable characters.",
        )
    if expires_at is not None and expires_at <= now:
        raise UsageError("a token cannot end before it begins", remedy="Choose an end in the future.")


def _parts(text: str) -> tuple[str, str]:
    """Take id and secret out of a text; empty where it is no token's."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    well_formed = prefix == PREFIX and len(token_id) == _ID_LENGTH and set(token_id) <= set(ALPHABET)
    return (token_id, secret) if well_formed else ("", secret)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
