"""Who may ask a server for what: its tokens and audit log alone, for the commands that change them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from conductor.bootstrap.worlds import make_folder

if TYPE_CHECKING:
    from conductor.ports.access import Access
    from conductor.ports.clock import Clock
    from conductor.settings import Settings


@asynccontextmanager
async def opened_access(settings: Settings) -> AsyncIterator[tuple[Access, Clock]]:
    """Open the records of the state folder, or the database that is set."""
    from conductor.adapters.stores.access import SqlAccess
    from conductor.adapters.stores.sql import SqlStore
    from conductor.adapters.system.clock import SystemClock

    state = make_folder(settings.state)
    store = await SqlStore.open(settings.database_url or state / "conductor.db")
    try:
        yield SqlAccess(store.database), SystemClock()
    finally:
        await store.aclose()
