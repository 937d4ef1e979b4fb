"""A fake forge as a service: repositories with branches and tags that move, people, comments, and what was told there.

It remembers what really happened to it, loses deliveries when asked to, and suffers misfortunes by name. Signatures are GitHub's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from conductor.domain.delivery import (
    Announcement,
    CommandGiven,
    Delivery,
    Nothing,
    Order,
    Placed,
    RerunAsked,
    Tag,
    TagPushed,
    Verb,
    Wish,
)
from conductor.domain.run import Run, Source, Status
from conductor.domain.telling import Telling
from conductor.domain.trigger import Cause, Trigger
from conductor.errors import NotFoundError, RefusedError, UnreachableError
from conductor.ports.clock import Clock


class Misfortune(StrEnum):
    """What can befall one of its verbs."""

    AWAY = "away"
    """It does not answer."""
    FORBIDS = "forbids"
    """It answers that the right is missing."""
    MISTAKEN = "mistaken"
    """A mistake in whoever speaks to it: an error that nobody foresaw."""


@dataclass
class FakeRemote:
    """One repository there. `parents` is its history; commits are made by `commit`."""

    name: str
    location: str
    parents: dict[str, str | None] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[int, str] = field(default_factory=dict)
    """Number -> branch."""
    writers: set[str] = field(default_factory=lambda: {"kim"})

    def commit(self, branch: str = "main") -> str:
        """Make a commit on a branch, whose head it is then."""
        parent = self.branches.get(branch)
        made = hashlib.sha1(
            f"{self.name}/{branch}/{len(self.parents)}".encode(), usedforsecurity=False
        ).hexdigest()
        self.parents[made] = parent
        self.branches[branch] = made
        return made

    def descends(self, later: str, earlier: str) -> bool:
        """Tell whether `earlier` is among the ancestors of `later`."""
        at = self.parents.get(later)
        while at is not None and at != earlier:
            at = self.parents.get(at)
        return at is not None


class FakeHosting:
    """Law: as `ports.hosting`. What was told and answered stays in `told` and `answers`, to be looked at."""

    name = "fake"

    def __init__(self, clock: Clock, *, secret: str = "fake-secret") -> None:  # noqa: S107 -- of a fake
        self._clock = clock
        self._secret = secret.encode()
        self._sent = 0
        self._befalls: dict[str, list[Misfortune]] = {}
        self.remotes: dict[str, FakeRemote] = {}
        self.undelivered: list[Delivery] = []
        self.forgets_ancestry = False
        """Only what branches and tags point at now is known of order, as of a shallow history."""
        self.asked: Counter[str] = Counter()
        """How often each verb was called."""
        self.answers: dict[int, list[tuple[bool, str]]] = {}
        """By the comment's number: what was answered, and whether it went well."""
        self.told: dict[tuple[str, int], list[str]] = {}
        """What was told of each run, one line for each change."""

    def remote(self, name: str, *, location: str = "") -> FakeRemote:
        """Return that repository; it is made when first named."""
        return self.remotes.setdefault(
            name, FakeRemote(name=name, location=location or f"https://fake.test/{name}")
        )

    def befall(self, verb: str, misfortune: Misfortune, *, times: int = 1) -> None:
        """Let the next calls of a verb go wrong."""
        self._befalls.setdefault(verb, []).extend([misfortune] * times)

    def push_tag(self, repository: str, tag: str, commit: str, *, sender: str = "kim") -> Delivery:
        """Move a tag, and return what is sent of it."""
        remote = self.remote(repository)
        remote.tags[tag] = commit
        heads = [branch for branch, head in remote.branches.items() if head == commit]
        base = heads[0] if heads else ""
        return self.send("push", repository=repository, tag=tag, commit=commit, branch=base, sender=sender)

    def delete_tag(self, repository: str, tag: str) -> Delivery:
        """Delete a tag, and return what is sent of it."""
        self.remote(repository).tags.pop(tag, None)
        return self.send("push", repository=repository, tag=tag, deleted=True)

    def comment(
        self, repository: str, issue: int, text: str, *, sender: str = "kim", is_pull_request: bool = True
    ) -> Delivery:
        """Write a comment, and return what is sent of it."""
        return self.send(
            "issue_comment",
            repository=repository,
            issue=issue,
            text=text,
            sender=sender,
            is_pull_request=is_pull_request,
        )

    def press(self, run: Run, *, sender: str = "kim", failed_only: bool = False) -> Delivery:
        """Press the button of a run's check, and return what is sent of it."""
        return self.send(
            "check_run",
            repository=run.repository,
            run=run.id,
            commit=run.source.commit,
            sender=sender,
            failed_only=failed_only,
        )

    def send(self, event: str, **payload: object) -> Delivery:
        """Return a delivery with an id of its own."""
        self._sent += 1
        return Delivery(
            id=f"delivery-{self._sent:06}",
            hosting=self.name,
            event=event,
            body=json.dumps({**payload, "number": self._sent}).encode(),
            received_at=self._clock.now(),
        )

    def lose(self, delivery: Delivery) -> None:
        """Have a delivery not arrive: it is listed as failed from now on."""
        self.undelivered.append(delivery)

    def sign(self, body: bytes) -> str:
        """Return the signature that is sent with a body."""
        return "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()

    def verify(self, body: bytes, signature: str) -> bool:
        """Tell whether it was signed here."""
        return hmac.compare_digest(self.sign(body).encode(), signature.encode(errors="replace"))

    def read(self, delivery: Delivery) -> Wish:
        """Tell what is wished for."""
        data = json.loads(delivery.body)
        if delivery.event == "push":
            return _read_push(data)
        if delivery.event == "issue_comment":
            return _read_comment(data)
        if delivery.event == "check_run":
            return RerunAsked(
                repository=data["repository"],
                run=data["run"],
                commit=data["commit"],
                sender=data["sender"],
                failed_only=data["failed_only"],
            )
        return Nothing(why=f"nothing is done for {delivery.event}")

    async def place(self, pushed: TagPushed) -> Placed:
        """Go by the branch that was pushed with it; else the one whose head it is; else the tag's own name stands for it."""
        self._suffer("place")
        remote = self._remote(pushed.repository)
        if pushed.commit not in remote.parents:
            raise NotFoundError(f"{pushed.repository} has no commit {pushed.commit}")
        return self._placed(remote, pushed)

    async def place_command(self, given: CommandGiven) -> Placed:
        """Find the head of the pull request's branch."""
        self._suffer("place_command")
        remote = self._remote(given.repository)
        branch = remote.pull_requests.get(given.issue)
        if branch is None:
            raise NotFoundError(
                f"#{given.issue} has no branch", remedy="Open a pull request, or push a trigger tag."
            )
        source = Source(location=remote.location, commit=remote.branches[branch], branch=branch)
        trigger = Trigger(
            cause=Cause.COMMAND, hosting=self.name, sender=given.sender, pull_request=given.issue
        )
        return Placed(repository=remote.name, source=source, trigger=trigger)

    async def tags(self, repository: str, patterns: Sequence[str]) -> Sequence[Tag]:
        """List what the tags point at now."""
        self._suffer("tags")
        return [
            Tag(name=name, commit=commit)
            for name, commit in sorted(self._remote(repository).tags.items())
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        ]

    async def lost(self, *, since: datetime) -> Sequence[Delivery]:
        """Return what did not arrive."""
        self._suffer("lost")
        return [delivery for delivery in self.undelivered if delivery.received_at >= since]

    async def order(self, repository: str, one: Placed | Run, other: Run) -> Order:
        """Go by what the tag, then the branch, points at now, then by ancestry."""
        self._suffer("order")
        remote = self._remote(repository)
        this, that = str(one.source.commit), str(other.source.commit)
        if this == that:
            return "same"
        for head in _present(remote, one, other):
            if head in (this, that):
                return "newer" if head == this else "older"
        if self.forgets_ancestry:
            return "unknown"
        if remote.descends(this, that):
            return "newer"
        return "older" if remote.descends(that, this) else "unknown"

    async def repositories(self) -> Sequence[str]:
        """Name them all."""
        self._suffer("repositories")
        return sorted(self.remotes)

    async def may_write(self, repository: str, login: str) -> bool:
        """Tell whether that person is among the writers."""
        self._suffer("may_write")
        return login in self._remote(repository).writers

    async def answer(self, given: CommandGiven, text: str, *, agreed: bool) -> None:
        """Answer a comment; one that has an answer keeps it."""
        self._suffer("answer")
        self.answers.setdefault(given.comment, [(agreed, text)])

    async def announce(self, announcement: Announcement, telling: Telling) -> Announcement:
        """Tell how it stands; nothing is told twice."""
        self._suffer("announce")
        said = f"{telling.state} {telling.verdict or ''} {telling.title}"
        told = self.told.setdefault((announcement.run, announcement.attempt), [])
        if announcement.told != telling.fingerprint and (not told or told[-1] != said):
            told.append(said)
        marks = {**announcement.marks, "check": f"check-{announcement.run}-{announcement.attempt}"}
        final = telling.state is Status.ENDED
        return replace(announcement, told=telling.fingerprint, final=final, marks=marks)

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    def _placed(self, remote: FakeRemote, pushed: TagPushed) -> Placed:
        heads = [branch for branch, head in remote.branches.items() if head == pushed.commit]
        branch = pushed.branch or next(iter(heads), pushed.tag)
        pulls = [number for number, of in remote.pull_requests.items() if of == branch]
        trigger = Trigger(
            cause=Cause.TAG,
            hosting=self.name,
            tag=pushed.tag,
            sender=pushed.sender,
            pull_request=next(iter(pulls), None),
        )
        source = Source(location=remote.location, ref=pushed.tag, commit=pushed.commit, branch=branch)
        return Placed(repository=remote.name, source=source, trigger=trigger)

    def _remote(self, name: str) -> FakeRemote:
        if name not in self.remotes:
            raise NotFoundError(f"there is no repository {name}")
        return self.remotes[name]

    def _suffer(self, verb: str) -> None:
        self.asked[verb] += 1
        coming = self._befalls.get(verb)
        misfortune = coming.pop(0) if coming else None
        if misfortune is Misfortune.AWAY:
            raise UnreachableError(f"the fake forge is away, as was asked for ({verb})")
        if misfortune is Misfortune.FORBIDS:
            raise RefusedError(f"the fake forge forbids it, as was asked for ({verb})")
        if misfortune is Misfortune.MISTAKEN:
            raise ZeroDivisionError(f"a mistake, as was asked for ({verb})")


def _present(remote: FakeRemote, one: Placed | Run, other: Run) -> list[str]:
    """Return what a tag that both have points at now, and the branch."""
    tags = {placed.trigger.tag if placed.trigger else "" for placed in (one, other)}
    tag = tags.pop() if len(tags) == 1 else ""
    heads = [remote.tags.get(tag), remote.branches.get(one.source.branch or "")]
    return [head for head in heads if head]


def _read_push(data: Mapping[str, str]) -> Wish:
    if data.get("deleted"):
        return Nothing(why="a tag was deleted")
    return TagPushed(
        repository=data["repository"],
        tag=data["tag"],
        commit=data["commit"],
        branch=data["branch"],
        sender=data["sender"],
    )


_COMMAND = re.compile(
    r"^/conductor (?P<verb>run|rerun|cancel|keep|delete)(?: (?P<failed>failed)| (?P<hours>\d+)h)?\s*$"
)


def _read_comment(data: Mapping[str, object]) -> Wish:
    found = _COMMAND.match(str(data["text"]))
    if not found:
        return Nothing(why="the comment asks for nothing")
    return CommandGiven(
        repository=str(data["repository"]),
        issue=int(str(data["issue"])),
        is_pull_request=bool(data["is_pull_request"]),
        sender=str(data["sender"]),
        verb=Verb(found["verb"]),
        failed_only=bool(found["failed"]),
        keep_for=timedelta(hours=int(found["hours"])) if found["hours"] else None,
        comment=int(str(data["number"])),
    )
