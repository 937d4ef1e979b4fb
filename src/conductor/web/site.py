"""What the routes of one application share: the service, how its loops stand, and the readers of what is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from conductor.domain.access import Role, Token
from conductor.operations import access
from conductor.operations.following import Following
from conductor.operations.serving import ANNOUNCE, DISPATCH, ServerState
from conductor.ports.service import Service
from conductor.ports.world import World
from conductor.settings import Settings
from conductor.web.problems import HttpProblem


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application."""

    service: Service
    state: ServerState
    following: Following
    settings: Settings | None = None

    @property
    def world(self) -> World:
        """What runs see."""
        return self.service.world

    def has_news(self) -> None:
        """Have the loops look at once: something waits, or is to be told."""
        self.state.ring(DISPATCH, ANNOUNCE)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, and the application that is asked."""

    token: Token
    site: Site

    @property
    def name(self) -> str:
        """What the audit log calls them."""
        return f"token:{self.token.name}"

    @property
    def repositories(self) -> frozenset[str] | None:
        """The repositories that they see; None: all."""
        return self.token.repositories or None

    async def did(self, what: str, subject: str = "", *, repository: str = "", detail: str = "") -> None:
        """Record a deed."""
        await access.record(
            self.site.service.access,
            at=self.site.world.clock.now(),
            principal=self.name,
            what=what,
            subject=subject,
            repository=repository,
            detail=detail,
        )


def site_of(request: Request) -> Site:
    """Return what the application was made of."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 -- `app.create` put it there
    return site


class Needs:
    """Lets through who has a role; the token itself was looked at before the request was routed."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, request: Request) -> Caller:
        """Return who asks. 403 where the role is not enough."""
        token = request.scope["state"].get("token")
        assert isinstance(token, Token)  # noqa: S101 -- `auth.Guard` let the request in
        if not token.role.includes(self.role):
            raise HttpProblem(
                403,
                f"this needs the role {self.role}, and the token {token.name!r} has {token.role}",
                remedy="Ask for a token with that role.",
            )
        return Caller(token=token, site=site_of(request))


Reader = Annotated[Caller, Depends(Needs(Role.READ))]
Runner = Annotated[Caller, Depends(Needs(Role.RUN))]
Admin = Annotated[Caller, Depends(Needs(Role.ADMIN))]


def unbound(caller: Admin) -> Caller:
    """Let through who sees every repository: what concerns all of them is not for others."""
    if caller.repositories is not None:
        raise HttpProblem(
            403, "a token bound to repositories cannot do this", remedy="Use one that is not bound."
        )
    return caller


Operator = Annotated[Caller, Depends(unbound)]
