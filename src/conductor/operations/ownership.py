"""Who may end what somebody else made: admins, and nobody else."""

from __future__ import annotations

from conductor.domain.access import Role
from conductor.errors import RefusedError


def refuse_unless_own(what: str, owner: str, *, principal: str, role: Role) -> None:
    """Raise RefusedError where it is another's and the caller no admin."""
    if owner != principal and not role.includes(Role.ADMIN):
        raise RefusedError(
            f"{what} is {owner}'s, and {principal} may end only what is their own",
            remedy=f"Ask {owner} or an admin, or leave it to its lease.",
        )
