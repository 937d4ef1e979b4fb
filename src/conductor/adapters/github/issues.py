"""`GitHubIssues`: issues of GitHub, and one comment on each that says who works on it.

Law: never a second such comment. It is found again by a mark in comments of our own; only the claim that it shows hides it. The label is a
courtesy: where it cannot be set, the claim is shown all the same. Source: docs.github.com, "REST API endpoints for issues".
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from conductor.adapters.github.api import Api
from conductor.adapters.github.credentials import Use
from conductor.adapters.github.exchange import in_path
from conductor.adapters.github.own import OwnComments
from conductor.domain.claim import Claim, Issue
from conductor.errors import NotFoundError, RefusedError

_log = logging.getLogger(__name__)
_MARK = re.compile(r"<!-- conductor: claim=([0-9a-f]{16}|none) -->")
_FREE = "none"
_MOST_PAGES = 5


class GitHubIssues:
    """Issues of one GitHub. `label` is put on those that somebody works on; empty: none is."""

    name = "github"

    def __init__(
        self, api: Api, own: OwnComments, *, label: str = "", location: Callable[[str], str] = str
    ) -> None:
        self._api = api
        self._own = own
        self._label = label
        self._location = location
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def list_issues(
        self, repository: str, *, labels: Sequence[str] = (), limit: int = 50
    ) -> Sequence[Issue]:
        """Return open issues that bear all of the labels, oldest first; pull requests, which GitHub lists among them, are left out."""
        params = {"state": "open", "sort": "created", "direction": "asc"}
        if labels:
            params["labels"] = ",".join(labels)
        found: list[Issue] = []
        async for page in self._api.all(repository, "/issues", params=params, use=Use.TELL, most=_MOST_PAGES):
            found += [_issue(repository, one) for one in page if "pull_request" not in one]
            if len(found) >= limit:
                break
        return found[:limit]

    async def location(self, repository: str) -> str:
        """Return the address that git clones from."""
        return self._location(repository)

    async def find_issue(self, repository: str, number: int) -> Issue:
        """Return one, open or closed. NotFoundError for a pull request, too."""
        told = await self._api.get(repository, f"/issues/{number}", use=Use.TELL)
        if "pull_request" in told:
            raise NotFoundError(
                f"{repository}#{number} is a pull request", remedy="Name the issue that it is about."
            )
        return _issue(repository, told)

    async def show_claim(self, claim: Claim) -> Claim:
        """Make or edit the comment, and set the label."""
        body = f"<!-- conductor: claim={_name(claim)} -->\n{_words(claim)}"
        async with self._turn(claim):
            found = await self._find(claim)
            if found is None:
                path = f"/issues/{claim.issue}/comments"
                found = await self._api.tell(claim.repository, "POST", path, {"body": body})
            elif str(found.get("body")) != body:
                await self._edit(claim, found, body)
            await self._set_label(claim)
        return replace(claim, marks={**claim.marks, "comment": str(found["id"])})

    async def hide_claim(self, claim: Claim) -> None:
        """Have the comment say that nobody works on it, and take the label off; not where another claim is shown there by now."""
        async with self._turn(claim):
            found = await self._find(claim)
            if found is None or _shown(found) != _name(claim):
                return
            await self._take_label(claim)
            body = f"<!-- conductor: claim={_FREE} -->\nNobody works on this just now: the claim of {_who(claim)} has ended."
            await self._edit(claim, found, body)

    async def _find(self, claim: Claim) -> Mapping[str, Any] | None:
        """Return the comment that shows claims on that issue, by its number where that is on record."""
        known = claim.marks.get("comment", "")
        if known.isdecimal():
            try:
                found = await self._api.get(claim.repository, f"/issues/comments/{known}", use=Use.TELL)
            except NotFoundError:
                pass
            else:
                return dict(found) if _shown(found) else None
        async for one in self._own.on(claim.repository, claim.issue):
            if _shown(one):
                return one
        return None

    async def _edit(self, claim: Claim, comment: Mapping[str, Any], body: str) -> None:
        path = f"/issues/comments/{comment['id']}"
        await self._api.tell(claim.repository, "PATCH", path, {"body": body})

    async def _set_label(self, claim: Claim) -> None:
        if not self._label:
            return
        path = f"/issues/{claim.issue}/labels"
        try:
            await self._api.tell(claim.repository, "POST", path, {"labels": [self._label]})
        except (RefusedError, NotFoundError) as error:
            _log.info("the label %s is not set: %s", self._label, error.message)

    async def _take_label(self, claim: Claim) -> None:
        if not self._label:
            return
        path = f"/issues/{claim.issue}/labels/{in_path(self._label)}"
        try:
            await self._api.tell(claim.repository, "DELETE", path, None)
        except (RefusedError, NotFoundError) as error:
            _log.info("the label %s is not taken off: %s", self._label, error.message)

    def _turn(self, claim: Claim) -> asyncio.Lock:
        return self._turns.setdefault(f"{claim.repository.lower()}#{claim.issue}", asyncio.Lock())


def _issue(repository: str, told: Mapping[str, Any]) -> Issue:
    named = (one["name"] if isinstance(one, Mapping) else one for one in told.get("labels") or ())
    updated = told.get("updated_at")
    return Issue(
        repository=repository,
        number=int(told["number"]),
        title=str(told.get("title") or ""),
        body=str(told.get("body") or ""),
        labels=tuple(str(name) for name in named),
        is_open=told.get("state") != "closed",
        author=str((told.get("user") or {}).get("login") or ""),
        url=str(told.get("html_url") or ""),
        updated_at=datetime.fromisoformat(str(updated)) if updated else None,
        assignees=tuple(str(one.get("login")) for one in told.get("assignees") or ()),
    )


def _shown(comment: Mapping[str, Any]) -> str:
    """Return the mark of the claim that a comment shows; empty where it is no such comment."""
    found = _MARK.match(str(comment.get("body")))
    return found[1] if found else ""


def _name(claim: Claim) -> str:
    made = f"{claim.repository.lower()}#{claim.issue}/{claim.principal}/{claim.claimed_at.isoformat()}"
    return hashlib.sha256(made.encode()).hexdigest()[:16]


def _words(claim: Claim) -> str:
    until = f"{claim.expires_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{_who(claim)} works on this until {until}, on the branch `{claim.branch}`. "
        "After that, or when it is released, others may claim it."
    )


def _who(claim: Claim) -> str:
    """Write a name as code, so that it means nothing else."""
    name = " ".join(claim.principal.split()).replace("`", "'").replace("<!--", "<! --")
    return f"`{name[:100]}`"
