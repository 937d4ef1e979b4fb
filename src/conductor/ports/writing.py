"""Where a runner writes secrets: the namespace, which lets it in for as long as a sync takes, and what it leaves there.

No value passes here: names of Secrets, names of keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Slip:
    """What is known in a namespace of one sync. Syncs are named in the order of time: the greatest name is the latest."""

    sync: str
    key: str
    """Fingerprint of what was asked for: the same again needs no second sync."""
    is_receipt: bool = False
    """The runner wrote it, last of all. Else it is Conductor's own note that the sync was begun."""
    workflow: int = 0
    """The run of the workflow that wrote it."""
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Secret -> its keys, as the runner says that it made them."""
    missing: tuple[str, ...] = ()
    """What the forge had no value for: then nothing was made."""


class Writing(Protocol):
    """The namespace's side. Law: nothing here can read, change or remove a Secret."""

    def secret_name(self, consumer: str, sync: str) -> str:
        """Name the Secret of a consumer in one sync."""
        ...

    async def admit(self, namespace: str) -> None:
        """Let the runner's account make Secrets there. Repeated: stays as it is."""
        ...

    async def dismiss(self, namespace: str) -> None:
        """Take that away again; nothing where it is gone."""
        ...

    async def note(self, namespace: str, sync: str, key: str) -> None:
        """Write down that a sync begins."""
        ...

    async def slips(self, namespace: str) -> Sequence[Slip]:
        """Return what is written of syncs there, oldest first, a receipt after its note; empty where there is no such namespace."""
        ...

    async def has_secret(self, namespace: str, name: str) -> bool:
        """Tell whether a Secret is there, without reading it."""
        ...
