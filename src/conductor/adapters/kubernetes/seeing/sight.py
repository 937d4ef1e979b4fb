"""Seeing a namespace: its states as they change, from the watches of the process; and now, by asking.

`watch` costs the API server nothing; `states` asks it, so that what another process has just done is seen too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import (
    CLAIM,
    DEPLOYMENT,
    EVENT,
    JOB,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    Kind,
    Manifest,
)
from conductor.adapters.kubernetes.seeing.states import Snapshot, states
from conductor.adapters.kubernetes.seeing.watching import Cluster
from conductor.domain.names import LABEL_INSTANCE, LABEL_WORKLOAD
from conductor.domain.states import States

MANAGED_BY = {"app.kubernetes.io/managed-by": "conductor"}
KEEPERS = (JOB, DEPLOYMENT, STATEFUL_SET)
"""What keeps the pods of a workload."""
WARNINGS = {"type": "Warning"}
TICK = timedelta(seconds=1)
"""Some states change by time alone: a grace is over."""
See = Callable[[Sequence[Manifest], Sequence[Manifest]], None]


class Sight:
    """What one instance has on a cluster."""

    def __init__(self, connection: Connection, *, instance: str) -> None:
        self._connection = connection
        self.labels = {**MANAGED_BY, LABEL_INSTANCE: instance}
        self.cluster = Cluster(
            {
                NAMESPACE: (self.labels, None),
                POD: (self.labels, None),
                **dict.fromkeys(KEEPERS, (self.labels, None)),
                CLAIM: (self.labels, None),
                EVENT: (None, WARNINGS),
            }
        )
        self.cluster.keeps(EVENT, lambda event: self._is_ours(event["metadata"]["namespace"]))

    async def watch(self, namespace: str, *, see: See | None = None) -> AsyncGenerator[States]:
        """Yield the states, first at once, then whenever they change. `see` is shown what keeps pods, and the pods, each time."""
        await self.cluster.start(await self._connection.client())
        before: States | None = None
        async with aclosing(self.cluster.changes(namespace, tick=TICK)) as changes:
            async for _ in changes:
                known = self._known(namespace)
                if see is not None:
                    see(known.keepers, known.pods)
                found = states(known, datetime.now(UTC))
                if found != before:
                    before = found
                    yield found

    async def states(self, namespace: str) -> States:
        """Return the states now."""
        return states(await self._look(namespace), datetime.now(UTC))

    async def keepers(self, namespace: str, workload: str = "") -> Sequence[tuple[Kind, Manifest]]:
        """Return what keeps the pods of one workload (its name as a label) or of all, asking now."""
        client = await self._connection.client()
        labels = {**self.labels, **({LABEL_WORKLOAD: workload} if workload else {})}
        listings = await asyncio.gather(*(client.list(kind, namespace, labels=labels) for kind in KEEPERS))
        return [
            (kind, found) for kind, listing in zip(KEEPERS, listings, strict=True) for found in listing.items
        ]

    async def pods(self, namespace: str, workload: str = "") -> Sequence[Manifest]:
        """Return the pods of one workload or of all, asking now."""
        client = await self._connection.client()
        labels = {**self.labels, **({LABEL_WORKLOAD: workload} if workload else {})}
        return (await client.list(POD, namespace, labels=labels)).items

    async def aclose(self) -> None:
        """End the watches."""
        await self.cluster.aclose()

    def _known(self, namespace: str) -> Snapshot:
        return Snapshot(
            keepers=[found for kind in KEEPERS for found in self.cluster.of(kind, namespace)],
            pods=self.cluster.of(POD, namespace),
            events=self.cluster.of(EVENT, namespace),
            claims=self.cluster.of(CLAIM, namespace),
        )

    async def _look(self, namespace: str) -> Snapshot:
        client = await self._connection.client()
        keepers, pods, claims, events = await asyncio.gather(
            self.keepers(namespace),
            client.list(POD, namespace, labels=self.labels),
            client.list(CLAIM, namespace, labels=self.labels),
            client.list(EVENT, namespace, fields=WARNINGS),
        )
        return Snapshot(
            keepers=[found for _, found in keepers],
            pods=pods.items,
            events=events.items,
            claims=claims.items,
        )

    def _is_ours(self, namespace: str) -> bool:
        return bool(self.cluster.of(NAMESPACE, namespace))
