"""Deliveries: what a forge sends, as it came, and what is wished for with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from conductor.domain.run import Source
from conductor.domain.trigger import Trigger

LARGEST_BYTES = 25 * 1000 * 1000
"""GitHub sends no larger payload (docs.github.com, Webhook events and payloads)."""


class DeliveryStatus(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    """Stored and answered; not handled yet, or to be tried again."""
    STARTED = "started"
    """There is a run or attempt for it, or it joined one."""
    DONE = "done"
    """A command other than to run was carried out."""
    IGNORED = "ignored"
    """Nothing is to be done for it; `note` says why."""
    FAILED = "failed"
    """Given up after many tries; the reconciler starts its tag all the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One webhook call, verified. `id` is the forge's own (`X-GitHub-Delivery`): the same again is the same delivery."""

    id: str
    hosting: str
    """Which forge sent it: `github`, `folder`."""
    event: str
    """`push`, `issue_comment`, ..."""
    body: bytes
    received_at: datetime
    status: DeliveryStatus = DeliveryStatus.WAITING
    tries: int = 0
    due_at: datetime | None = None
    """Before this it is not tried again."""
    note: str = ""
    run: str = ""
    attempt: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TagPushed:
    """A trigger tag points at a commit, never at a tag object. `branch` is the event's own (`base_ref`), empty where it names none."""

    repository: str
    tag: str
    commit: str
    branch: str = ""
    sender: str = ""


class Verb(StrEnum):
    """What a comment can ask for."""

    RUN = "run"
    RERUN = "rerun"
    CANCEL = "cancel"
    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandGiven:
    """`/conductor VERB` in a comment on an issue or pull request, by somebody whose right to it is still to be asked for."""

    repository: str
    issue: int
    is_pull_request: bool
    sender: str
    verb: Verb
    failed_only: bool = False
    """`rerun failed`: the failed tests alone, in the stack that was kept."""
    keep_for: timedelta | None = None
    comment: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RerunAsked:
    """The button of a check: `run` and `attempt` are what the check was made for (its `external_id`)."""

    repository: str
    run: str
    commit: str
    sender: str
    failed_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowEnded:
    """A workflow of the forge ended; whoever waits for it (secret sync) looks at once."""

    repository: str
    workflow: int
    conclusion: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Nothing:
    """There is nothing to do, for this reason."""

    why: str


Wish = TagPushed | CommandGiven | RerunAsked | WorkflowEnded | Nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A wish to run, with everything that the forge knew of the commit."""

    repository: str
    source: Source
    trigger: Trigger


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A tag as the forge lists it; `commit` is what an annotated one leads to."""

    name: str
    commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """How far a run's verdict has been told on its forge: ids of what was made there, so that it is edited and never made twice."""

    run: str
    attempt: int
    hosting: str
    told: str = ""
    """A fingerprint of what was told last; empty: nothing was."""
    final: bool = False
    """The end was told: nothing is left to do."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """`check`, `comment`, `status` -> id on the forge."""
    tries: int = 0
    due_at: datetime | None = None
    error: str = ""


Order = Literal["newer", "older", "same", "unknown"]
"""How one commit stands to another, as far as the forge can tell."""
