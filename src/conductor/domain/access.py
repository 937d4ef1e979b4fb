"""Who may do what: roles, tokens bound to repositories, and the record of who did what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """Each may do what the ones before it may."""

    READ = "read"
    RUN = "run"
    """Start, cancel, retry; extend and delete the stacks of one's repositories."""
    ADMIN = "admin"
    """Tokens, drain, settings as seen, audit."""

    def includes(self, other: Role) -> bool:
        """Tell whether who has this role may do what needs the other."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token as it is kept: never the secret itself. `repositories` empty: all of them."""

    id: str
    """Public: eight characters, with which the token itself begins."""
    name: str
    role: Role
    repositories: frozenset[str] = field(default_factory=frozenset)
    digest: str
    """SHA-256 of the secret, hexadecimal: secrets are 256 random bits, so no slow hash is needed."""
    created_at: datetime
    created_by: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def reaches(self, repository: str) -> bool:
        """Tell whether it is good for that repository (names are the same in any case, as GitHub's are)."""
        return not self.repositories or repository.lower() in {one.lower() for one in self.repositories}


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """One line of the audit log. `what` is a verb with its object (`run.cancel`), `subject` which one."""

    at: datetime
    principal: str
    what: str
    subject: str = ""
    repository: str = ""
    detail: str = ""
    number: int = 0
