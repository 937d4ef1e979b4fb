"""Migration apart from any start: the tables of this version, made or changed while nothing runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.settings import Settings


async def migrate(settings: Settings) -> str:
    """Bring the records and the workflows' tables up to date, and return the schema of the records. Up to date already: nothing changes.

    Others that start meanwhile wait for it. Raises `StateError` where a newer Conductor was here, `UnreachableError` where no server
    answers.
    """
    from conductor import durable
    from conductor.adapters.stores import schema
    from conductor.adapters.stores.sql import SqlStore
    from conductor.bootstrap.worlds import make_folder

    state = make_folder(settings.state)
    await (await SqlStore.open(settings.database_url or state / "conductor.db")).aclose()
    await durable.launch(state, database=settings.database_url)
    await durable.shutdown()
    return schema.HEAD
