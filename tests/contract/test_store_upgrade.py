"""A database of the previous schema is brought up to date with all that is in it, by one of those who open it at once."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from tests.contract.stores import NOON, a_run, replicas

from conductor.adapters.stores import SqlStore, schema
from conductor.adapters.stores.database import url_of
from conductor.adapters.stores.queue import SqlQueue
from conductor.adapters.stores.tables import metadata

A_ROW = """
INSERT INTO runs (id, attempt, repository, status, requested_at, run) VALUES ('shop-old', 1, 'acme/shop', 'ended', :at,
'{"id": "shop-old", "repository": "acme/shop", "source": {"location": "/s"}, "principal": "ada", "requested_at": "2026-11-23T12:00:00Z"}')
"""


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


def _at_first_schema(connection: Connection) -> None:
    """Make the tables as the first version did, with a run in them."""
    config = Config()
    config.set_main_option("script_location", "conductor:adapters/stores/migrations")
    baseline = ScriptDirectory.from_config(config).get_revision("0001")
    with Operations.context(MigrationContext.configure(connection)):
        baseline.module.upgrade()
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
    connection.execute(text(A_ROW), {"at": NOON.isoformat()})


@pytest.fixture
def before(where: Path | str) -> Path | str:
    engine = create_engine(url_of(where))
    with engine.begin() as connection:
        _at_first_schema(connection)
    engine.dispose()
    return where


async def test_what_was_recorded_is_kept_and_what_is_new_works(before: Path | str):
    store = await SqlStore.open(before)
    assert [row.run.id for row in await store.list_runs()] == ["shop-old"]
    queue = SqlQueue(store.database)
    await queue.accept(a_run("shop-new"), cause="d1")
    assert [entry.run for entry in await queue.entries()] == ["shop-new"]
    await store.aclose()


async def test_the_upgraded_tables_are_those_that_the_code_knows(before: Path | str):
    await (await SqlStore.open(before)).aclose()
    engine = create_engine(url_of(before))
    with engine.connect() as connection:
        assert schema.version(connection) == schema.HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_replicas_that_open_it_at_once_upgrade_it_once(before: Path | str):
    opening = [SqlStore.open(before) for _ in range(4)]
    stores = await asyncio.wait_for(asyncio.gather(*opening), 60)
    found = [[row.run.id for row in await store.list_runs()] for store in stores]
    for store in stores:
        await store.aclose()
    assert found == [["shop-old"]] * 4
    async with replicas(before, 1) as (store,):
        assert await SqlQueue(store.database).entries() == []
