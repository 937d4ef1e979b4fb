"""A server: a running world, the memory that replicas share, and the forges that send deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from conductor.bootstrap.worlds import running

if TYPE_CHECKING:
    from conductor.ports.service import Policy, Service
    from conductor.settings import Settings


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """Give a service in which workflows run. Its loops and its pages are the caller's to start."""
    async with running(settings) as app:
        from conductor.adapters.stores.access import SqlAccess
        from conductor.adapters.stores.inbox import SqlDuties, SqlInbox, SqlOutbox
        from conductor.adapters.stores.queue import SqlQueue
        from conductor.bootstrap.forges import hostings_of
        from conductor.ports.service import Service

        yield Service(
            world=app.world,
            inbox=SqlInbox(app.database),
            outbox=SqlOutbox(app.database),
            duties=SqlDuties(app.database),
            queue=SqlQueue(app.database),
            access=SqlAccess(app.database),
            hostings=hostings_of(settings, app.github),
            policy=_policy(settings),
            tracking=replace(app.tracking, allowed=settings.allow),
        )


def _policy(settings: Settings) -> Policy:
    from conductor.domain.queue import Limits
    from conductor.ports.service import Policy

    return Policy(
        repositories=settings.allow,
        limits=Limits(
            runs=settings.max_runs,
            runs_per_repository=settings.max_runs_per_repository,
            namespaces=settings.max_stacks,
        ),
        poll_every=timedelta(seconds=settings.poll_seconds) if settings.poll_seconds else None,
        reconcile_every=timedelta(seconds=settings.reconcile_seconds),
        old_tags=settings.reconcile_old_tags,
        public_url=settings.public_url,
    )
