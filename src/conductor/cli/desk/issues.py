"""What commands ask about issues and claims, whoever answers: this machine's records and forges, or a server."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from conductor.bootstrap import App
from conductor.cli.desk.client import Client
from conductor.cli.desk.reading import read
from conductor.domain.claim import Claim, Issue
from conductor.operations import issues
from conductor.operations.issues import IssueView


class IssueDesk(Protocol):
    """Law: both give the same answers to the same records, and raise the same errors."""

    async def list_issues(self, repository: str, *, labels: Sequence[str], limit: int) -> Sequence[IssueView]:
        """Return open issues, with who works on them."""
        ...

    async def find(self, repository: str, number: int) -> IssueView:
        """Return one."""
        ...

    async def claims(self, *, mine: bool) -> Sequence[Claim]:
        """Return who works on what."""
        ...

    async def claim(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Claim an issue."""
        ...

    async def renew(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Let one's own claim last longer."""
        ...

    async def release(self, repository: str, number: int, *, force: bool) -> None:
        """Free an issue; `force` also another's."""
        ...

    async def create(self, repository: str, *, title: str, body: str, labels: Sequence[str]) -> Issue:
        """Open an issue."""
        ...

    async def close(self, repository: str, number: int) -> Issue:
        """Close an issue."""
        ...


class IssuesHere:
    """Answers by operations on a world that is open."""

    def __init__(self, app: App) -> None:
        self._tracking = app.tracking
        self._principal = app.settings.principal or getpass.getuser()

    async def list_issues(self, repository: str, *, labels: Sequence[str], limit: int) -> Sequence[IssueView]:
        """Return open issues, with who works on them."""
        return await issues.list_issues(self._tracking, repository, labels=labels, limit=limit)

    async def find(self, repository: str, number: int) -> IssueView:
        """Return one."""
        return await issues.find_issue(self._tracking, repository, number)

    async def claims(self, *, mine: bool) -> Sequence[Claim]:
        """Return who works on what."""
        return await issues.list_claims(self._tracking, principal=self._principal if mine else None)

    async def claim(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Claim an issue."""
        return await issues.claim(
            self._tracking, repository, number, principal=self._principal, keep_for=keep_for
        )

    async def renew(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Let one's own claim last longer."""
        return await issues.renew(
            self._tracking, repository, number, principal=self._principal, keep_for=keep_for
        )

    async def release(self, repository: str, number: int, *, force: bool) -> None:
        """Free an issue; whoever has this machine may free another's."""
        await issues.release(self._tracking, repository, number, principal=None if force else self._principal)

    async def create(self, repository: str, *, title: str, body: str, labels: Sequence[str]) -> Issue:
        """Open an issue."""
        return await issues.create_issue(
            self._tracking, repository, title=title, body=body, labels=labels, author=self._principal
        )

    async def close(self, repository: str, number: int) -> Issue:
        """Close an issue."""
        return await issues.close_issue(self._tracking, repository, number)


class IssuesThere:
    """Answers by asking a server, which knows by the token who asks."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list_issues(self, repository: str, *, labels: Sequence[str], limit: int) -> Sequence[IssueView]:
        """Return open issues, with who works on them."""
        told = await self._client.get("/issues", repository=repository, label=tuple(labels), limit=limit)
        return read(list[IssueView], told["items"])

    async def find(self, repository: str, number: int) -> IssueView:
        """Return one."""
        return read(IssueView, await self._client.get(f"/issues/{number}", repository=repository))

    async def claims(self, *, mine: bool) -> Sequence[Claim]:
        """Return who works on what."""
        return read(list[Claim], (await self._client.get("/claims", mine=mine))["items"])

    async def claim(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Claim an issue."""
        return read(Claim, await self._client.post("/claims", _asked(repository, number, keep_for)))

    async def renew(self, repository: str, number: int, *, keep_for: timedelta | None) -> Claim:
        """Let one's own claim last longer."""
        return read(Claim, await self._client.post("/claims/renew", _asked(repository, number, keep_for)))

    async def release(self, repository: str, number: int, *, force: bool) -> None:
        """Free an issue; another's, where the token's role is admin."""
        await self._client.delete("/claims", repository=repository, issue=number, force=force)

    async def create(self, repository: str, *, title: str, body: str, labels: Sequence[str]) -> Issue:
        """Open an issue. The same request, where its answer was lost, opens no second one."""
        asked = {"repository": repository, "title": title, "body": body, "labels": list(labels)}
        return read(Issue, await self._client.post("/issues", asked, key=secrets.token_hex(16)))

    async def close(self, repository: str, number: int) -> Issue:
        """Close an issue."""
        return read(Issue, await self._client.post(f"/issues/{number}/close", {}, repository=repository))


def _asked(repository: str, number: int, keep_for: timedelta | None) -> dict[str, object]:
    lasting = {"keep_for_seconds": int(keep_for.total_seconds())} if keep_for else {}
    return {"repository": repository, "issue": number, **lasting}
