"""A database of an earlier schema is brought up to date when it is opened, with its rows; by one process, however many open it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert

from conductor.adapters.stores import SqlStore, rows, schema
from conductor.adapters.stores.database import connect, url_of
from conductor.adapters.stores.tables import events, leases, metadata, runs
from conductor.domain.event import Event, Kind
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.run import Run, Source

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = Run(id="shop-abc", repository="shop", source=Source(location="/s"), principal="ada", requested_at=NOON)
EVENT = Event(
    run=RUN.id, key="requested", at=NOON, kind=Kind.RUN_REQUESTED, data={"repository": "shop"}, seq=1
)
LEASE = Lease(
    namespace="shop-abc-1",
    run=RUN.id,
    repository="shop",
    branch="main",
    principal="ada",
    created_at=NOON,
    expires_at=None,
    status=NamespaceStatus.KEPT,
)


def _earlier() -> list[str]:
    config = Config()
    config.set_main_option("script_location", "conductor:adapters/stores/migrations")
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    return sorted(revisions)[:-1]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "conductor.db"
    return str(request.getfixturevalue("postgres"))


def make_earlier(where: Path | str, revision: str) -> None:
    """Make a database as a Conductor of that time left it."""
    engine = connect(url_of(where))
    with engine.begin() as connection:
        schema.migrate(connection, to=revision)
        _fill(connection)
    engine.dispose()


def _fill(connection: Connection) -> None:
    """Write rows with the columns that every schema has had."""
    event = {name: getattr(EVENT, name) for name in ("run", "seq", "key", "at", "kind", "subject", "data")}
    lease = {"namespace": LEASE.namespace, "run": LEASE.run, "expires_at": None, "lease": LEASE}
    for table, values in ((runs, rows.run_values(RUN)), (events, event), (leases, lease)):
        connection.execute(insert(table).values(values))


@pytest.mark.parametrize("revision", _earlier())
async def test_the_rows_of_an_earlier_schema_are_there_after_an_upgrade(where: Path | str, revision: str):
    make_earlier(where, revision)
    store = await SqlStore.open(where)
    row = await store.find_run(RUN.id)
    assert row
    assert (row.run, await store.events(RUN.id), await store.leases()) == (RUN, [EVENT], [LEASE])
    await store.aclose()


@pytest.mark.parametrize("revision", _earlier())
async def test_an_upgraded_database_has_the_tables_that_the_code_knows(where: Path | str, revision: str):
    make_earlier(where, revision)
    await (await SqlStore.open(where)).aclose()
    engine = connect(url_of(where))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert schema.version(connection) == schema.HEAD
    engine.dispose()


@pytest.mark.parametrize("revision", [None, *_earlier()])
async def test_of_many_that_open_it_at_once_one_changes_it(where: Path | str, revision: str | None):
    if revision:
        make_earlier(where, revision)
    stores = await asyncio.gather(*(SqlStore.open(where) for _ in range(6)))
    await stores[0].save_run(RUN)
    assert [bool(await store.find_run(RUN.id)) for store in stores] == [True] * 6
    await asyncio.gather(*(store.aclose() for store in stores))
