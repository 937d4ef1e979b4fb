"""The service: what only a server needs, beside the world. `bootstrap.serving` makes it; `web` and the server's loops are handed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from conductor.domain.queue import Limits
from conductor.ports.access import Access
from conductor.ports.hosting import Hosting
from conductor.ports.inbox import Duties, Inbox, Outbox
from conductor.ports.issues import Tracking
from conductor.ports.queue import Queue
from conductor.ports.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the server's settings decide for its operations. `repositories` are globs (`acme/*`); empty allows none."""

    repositories: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    trigger_tags: tuple[str, ...] = ("run-integration-tests", "run-integration-tests-*")
    """What the reconciler looks for; the repository's file may name others, which then come by deliveries only."""
    poll_every: timedelta | None = None
    """How often tags are listed where no webhook can come in; None: only to reconcile."""
    reconcile_every: timedelta = timedelta(minutes=5)
    old_tags: bool = True
    """Whether the reconciler starts tags that stood before the server first saw their repository."""
    public_url: str = ""
    """Where people reach this server; the links of announcements begin with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One server: the world that its runs see, and the memory that its replicas share."""

    world: World
    inbox: Inbox
    outbox: Outbox
    duties: Duties
    queue: Queue
    access: Access
    hostings: Mapping[str, Hosting]
    policy: Policy = field(default_factory=Policy)
    tracking: Tracking | None = None
    """Issues and who works on them; None where nobody asks."""
