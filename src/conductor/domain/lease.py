"""A lease: how long a kept stack or environment lives. The mark on the namespace is the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NamespaceStatus(StrEnum):
    """What a namespace is doing."""

    ACTIVE = "active"
    """A run is at work in it."""
    KEPT = "kept"
    SLEEPING = "sleeping"
    DELETING = "deleting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The mark. `expires_at` None is pinned: it stays until somebody releases it."""

    namespace: str
    run: str
    repository: str
    created_at: datetime
    expires_at: datetime | None
    status: NamespaceStatus = NamespaceStatus.ACTIVE
    branch: str = ""
    principal: str = ""
    is_environment: bool = False
    """A development environment, and no run's stack: `run` is its id then."""

    def is_over(self, now: datetime) -> bool:
        """Tell whether the sweeper may remove what it is on."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceInfo:
    """A namespace as found on an engine. `lease` None: the mark is missing or unreadable (an orphan of this instance)."""

    name: str
    run: str
    lease: Lease | None
    created_at: datetime | None = None
    workloads: int = 0
    addresses: tuple[str, ...] = ()
    """What leads to its services, as was asked for; without the token."""

    @property
    def is_environment(self) -> bool:
        """Tell whether it holds a development environment, and no run's stack."""
        return self.lease is not None and self.lease.is_environment

    @property
    def gives_way(self) -> bool:
        """Tell whether it goes where room is needed: a stack kept by a lease that ends. At work, pinned or an environment: never."""
        kept = (NamespaceStatus.KEPT, NamespaceStatus.SLEEPING)
        lease = self.lease
        if lease is None or lease.is_environment:
            return False
        return lease.status in kept and lease.expires_at is not None
