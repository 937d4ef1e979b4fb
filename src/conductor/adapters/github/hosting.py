"""`GitHubHosting`: GitHub as a service, by an App or by a token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import httpx2

from conductor.adapters.github import checks, lost, payloads, placing, refs
from conductor.adapters.github.api import Api
from conductor.adapters.github.comments import Comments
from conductor.adapters.github.credentials import Credentials, Use
from conductor.adapters.github.exchange import Exchange, Now, Sleep, in_path
from conductor.adapters.github.issues import GitHubIssues
from conductor.adapters.github.own import OwnComments
from conductor.adapters.github.site import GitHubSite
from conductor.adapters.github.workflows import GitHubWorkflows
from conductor.domain.delivery import (
    Announcement,
    CommandGiven,
    Delivery,
    Order,
    Placed,
    Tag,
    TagPushed,
    Wish,
)
from conductor.domain.run import Run, Status
from conductor.domain.telling import Telling

NAME = "github"
_WRITERS = frozenset({"admin", "write"})
"""`maintain` is told as `write` (docs.github.com, "Get repository permissions for a user")."""


class GitHubHosting:
    """One GitHub. What is asked is asked with rights for that one repository and that one use."""

    name = NAME

    def __init__(
        self,
        site: GitHubSite,
        *,
        sleep: Sleep = asyncio.sleep,
        now: Now = lambda: datetime.now(UTC),
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._site = site
        self._exchange = Exchange(site.api, sleep=sleep, now=now, transport=transport)
        self._credentials = Credentials(site, self._exchange)
        self._api = Api(self._exchange, self._credentials)
        self.workflows = GitHubWorkflows(self._api, site, sleep=sleep)
        self._own = OwnComments(self._api, app=site.app.id if site.app else "")
        self._comments = Comments(self._api, self._own)
        self._turns: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    @property
    def is_app(self) -> bool:
        """Tell whether it is asked as an App: its tokens reach one repository and end within an hour."""
        return self._site.app is not None

    def issues(self, *, label: str = "") -> GitHubIssues:
        """Give its issues; `label` is put on those that somebody works on."""
        return GitHubIssues(self._api, self._own, label=label, location=self._site.location)

    def verify(self, body: bytes, signature: str) -> bool:
        """Tell whether GitHub signed it (`X-Hub-Signature-256`)."""
        return payloads.is_signed(body, signature, self._site.secrets)

    def read(self, delivery: Delivery) -> Wish:
        """Tell what is wished for."""
        return payloads.read(delivery)

    async def place(self, pushed: TagPushed) -> Placed:
        """Find branch, issue and pull request of a tagged commit."""
        return await placing.place(self._api, self._site, pushed)

    async def place_command(self, given: CommandGiven) -> Placed:
        """Find the head of the pull request, or of the branch that belongs to the issue."""
        return await placing.place_command(self._api, self._site, given)

    async def tags(self, repository: str, patterns: Sequence[str]) -> Sequence[Tag]:
        """List the trigger tags as they stand now."""
        return await refs.find_tags(self._api, repository, patterns)

    async def lost(self, *, since: datetime) -> Sequence[Delivery]:
        """Return deliveries that did not arrive. GitHub tells them to an App only: by a token none, and the tags are looked at."""
        return await lost.find_lost(self._api, since=since) if self._site.app else ()

    async def order(self, repository: str, one: Placed | Run, other: Run) -> Order:
        """Tell whether `one` is newer: what the tag or branch stands at now, then ancestry."""
        return await refs.order(self._api, repository, one, other)

    async def repositories(self) -> Sequence[str]:
        """Name the repositories where the App is installed, or that the token reaches."""
        found: set[str] = set()
        if self._site.app is None:
            async for page in self._api.all_as(self._credentials.of_token(), "/user/repos"):
                found |= {str(one["full_name"]) for one in page}
            return sorted(found)
        async for installations in self._api.all_as(None, "/app/installations"):
            for one in installations:
                if not one.get("suspended_at"):
                    found |= await self._repositories_of(int(one["id"]))
        return sorted(found)

    async def may_write(self, repository: str, login: str) -> bool:
        """Tell whether that person has write permission."""
        told = await self._api.find(repository, f"/collaborators/{in_path(login)}/permission")
        return isinstance(told, dict) and told.get("permission") in _WRITERS

    async def answer(self, given: CommandGiven, text: str, *, agreed: bool) -> None:
        """Tell who gave a command what came of it, once."""
        await self._comments.answer(given, text, agreed=agreed)

    async def announce(self, announcement: Announcement, telling: Telling) -> Announcement:
        """Tell how a run stands: by a check (a status where there is only a token) and by a comment on its issue."""
        final = telling.state is Status.ENDED
        if announcement.told == telling.fingerprint:
            return replace(announcement, final=final)
        marks = dict(announcement.marks)
        turn = self._turns.setdefault((telling.run.id, telling.run.attempt), asyncio.Lock())
        async with turn:
            if telling.run.source.commit:
                marks |= await self._judge(telling, marks.get("check", ""))
            comment = await self._comments.tell(telling, marks.get("comment", ""))
        if comment:
            marks["comment"] = comment
        return replace(announcement, told=telling.fingerprint, final=final, marks=marks)

    async def token_for(self, location: str) -> str | None:
        """Return what opens the repository at an address of git, for reading; None where it is not of this GitHub."""
        repository = self._site.repository_at(location)
        return await self._credentials.token(repository, Use.CLONE) if repository else None

    async def push_token_for(self, location: str) -> str | None:
        """Return what opens the repository at an address of git, for writing; None where it is not of this GitHub."""
        repository = self._site.repository_at(location)
        return await self._credentials.token(repository, Use.PUSH) if repository else None

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._exchange.aclose()

    async def _judge(self, telling: Telling, known: str) -> dict[str, str]:
        if self._site.app:
            return {"check": await checks.tell_check(self._api, telling, known)}
        await checks.tell_status(self._api, telling)
        return {"status": telling.run.source.commit or ""}

    async def _repositories_of(self, installation: int) -> set[str]:
        me = await self._credentials.of_installation(installation)
        found: set[str] = set()
        async for page in self._api.all_as(me, "/installation/repositories"):
            found |= {str(one["full_name"]) for one in page["repositories"]}
        return found
