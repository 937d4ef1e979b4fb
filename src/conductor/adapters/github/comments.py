"""One comment on an issue for each branch, edited in place: the latest run of the branch has the word.

Law: never a second one. It is found again by a mark that nobody sees, in comments of our own only: what somebody else writes is no mark.
What is told of an older run never takes the place of a newer one's.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from conductor.adapters.github.api import Api
from conductor.adapters.github.credentials import Use
from conductor.adapters.github.own import OwnComments
from conductor.domain.delivery import CommandGiven
from conductor.domain.telling import Telling
from conductor.errors import NotFoundError

_LONGEST = 65_535
_MARK = re.compile(
    r"<!-- conductor: branch=([0-9a-f]{16}) run=([a-z0-9-]{1,40}) attempt=(\d{1,6}) at=(\d{1,16}) -->"
)


@dataclass(frozen=True, slots=True)
class _Mark:
    branch: str
    run: str
    attempt: int
    at: int

    def __str__(self) -> str:
        return f"<!-- conductor: branch={self.branch} run={self.run} attempt={self.attempt} at={self.at} -->"

    def is_older_than(self, other: _Mark) -> bool:
        """Tell whether the other has the word: a later run, or a later attempt of the same."""
        if self.run == other.run:
            return self.attempt < other.attempt
        return self.at < other.at


class Comments:
    """Writes them. One for each site: it makes sure that two runs of one issue do not make two at the same time."""

    def __init__(self, api: Api, own: OwnComments) -> None:
        self._api = api
        self._own = own
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def tell(self, telling: Telling, known: str) -> str:
        """Make or edit the comment of a run. Returns its id; empty where there is no issue to comment on."""
        run = telling.run
        numbers = (run.trigger.issue, run.trigger.pull_request) if run.trigger else ()
        for number in dict.fromkeys(one for one in numbers if one):
            turn = self._turns.setdefault(f"{run.repository.lower()}#{number}", asyncio.Lock())
            async with turn:
                try:
                    return await self._tell_on(telling, number, known)
                except NotFoundError:
                    continue
        return ""

    async def answer(self, given: CommandGiven, text: str, *, agreed: bool) -> None:
        """React to a command that was carried out; say why to one that was not, once."""
        if agreed and given.comment:
            path = f"/issues/comments/{given.comment}/reactions"
            await self._api.tell(given.repository, "POST", path, {"content": "+1"})
            return
        mark = f"<!-- conductor: answer={given.comment} -->"
        turn = self._turns.setdefault(f"{given.repository.lower()}#{given.issue}", asyncio.Lock())
        async with turn:
            async for one in self._own.on(given.repository, given.issue):
                if mark in str(one.get("body")):
                    return
            body = f"{mark}\n{_plain(text)}"[:_LONGEST]
            await self._api.tell(given.repository, "POST", f"/issues/{given.issue}/comments", {"body": body})

    async def _tell_on(self, telling: Telling, number: int, known: str) -> str:
        repository, mark = telling.run.repository, _mark(telling)
        found = await self._known(repository, known, mark) or await self._find(repository, number, mark)
        body = f"{mark}\n{telling.body}"[:_LONGEST]
        if found is None:
            made = await self._api.tell(repository, "POST", f"/issues/{number}/comments", {"body": body})
            return str(made["id"])
        present = _read(found)
        changed = str(found.get("body")) != body
        if changed and not (present and mark.is_older_than(present)):
            await self._api.tell(repository, "PATCH", f"/issues/comments/{found['id']}", {"body": body})
        return str(found["id"])

    async def _known(self, repository: str, known: str, mark: _Mark) -> Mapping[str, Any] | None:
        if not known.isdecimal():
            return None
        try:
            found = await self._api.get(repository, f"/issues/comments/{known}", use=Use.TELL)
        except NotFoundError:
            return None
        present = _read(found)
        return dict(found) if present and present.branch == mark.branch else None

    async def _find(self, repository: str, number: int, mark: _Mark) -> Mapping[str, Any] | None:
        async for one in self._own.on(repository, number):
            present = _read(one)
            if present and present.branch == mark.branch:
                return one
        return None


def _mark(telling: Telling) -> _Mark:
    run = telling.run
    branch = hashlib.sha256((run.source.branch or run.id).encode()).hexdigest()[:16]
    return _Mark(branch, run.id, run.attempt, int(run.requested_at.timestamp() * 1000))


def _read(comment: Mapping[str, Any]) -> _Mark | None:
    found = _MARK.match(str(comment.get("body")))
    return _Mark(found[1], found[2], int(found[3]), int(found[4])) if found else None


def _plain(text: str) -> str:
    """Write words as code, so that a repository's or a person's mean nothing in them."""
    line = " ".join(text.split()).replace("`", "'").replace("<!--", "<! --")
    return f"Conductor: `{line}`"
