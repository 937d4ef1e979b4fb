"""What may happen to the file: another process, another version, damage, a full disk."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event

from conductor.adapters.stores import SqlStore, schema
from conductor.adapters.stores.tables import metadata
from conductor.domain.event import Event, Kind
from conductor.domain.run import Run, Source
from conductor.errors import ConflictError, StateError, UnreachableError, UsageError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def an_event(key: str) -> Event:
    return Event(run="shop-abc", key=key, at=NOON, kind=Kind.NOTE)


def a_run() -> Run:
    return Run(
        id="shop-abc", repository="shop", source=Source(location="/s"), principal="ada", requested_at=NOON
    )


async def _one_by_one(calls: Iterable[Awaitable[object]]) -> None:
    for call in calls:
        await call


async def made(path: Path) -> None:
    store = await SqlStore.open(path)
    await store.save_run(a_run())
    await store.aclose()


APPENDS = """
import asyncio, pathlib, sys
from datetime import UTC, datetime
from conductor.adapters.stores import SqlStore
from conductor.domain.event import Event, Kind

async def main(path, process):
    store = await SqlStore.open(pathlib.Path(path))
    for n in range(25):
        for key in (f"shared-{n}", f"{process}-{n}"):
            await store.append(Event(run="shop-abc", key=key, at=datetime.now(UTC), kind=Kind.NOTE))
    await store.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_open_one_new_file_at_once_write_one_log(tmp_path: Path):
    path = tmp_path / "conductor.db"
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", APPENDS, path, str(n)) for n in range(3)
    ]
    assert [await asyncio.wait_for(process.wait(), 120) for process in started] == [0, 0, 0]
    store = await SqlStore.open(path)
    assert [one.seq for one in await store.events("shop-abc")] == list(range(1, 101))
    await store.aclose()


async def test_a_cancelled_write_is_finished_and_keeps_no_lock(tmp_path: Path):
    path = tmp_path / "conductor.db"
    store = await SqlStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        appending = asyncio.create_task(store.append(an_event("k")))
        await asyncio.wait([appending], timeout=0.2)  # which brings it to the lock
        appending.cancel()
        await asyncio.wait([appending], timeout=0.2)
        other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await appending
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)
        other.execute("ROLLBACK")
    await store.aclose()


async def test_the_file_is_in_write_ahead_mode(tmp_path: Path):
    await made(tmp_path / "conductor.db")
    with closing(sqlite3.connect(tmp_path / "conductor.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_head_is_the_last_migration():
    config = Config()
    config.set_main_option("script_location", "conductor:adapters/stores/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


async def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path):
    await made(tmp_path / "conductor.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'conductor.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_opening_an_up_to_date_file_loads_no_migration_library(tmp_path: Path):
    asyncio.run(made(tmp_path / "conductor.db"))
    program = (
        "import asyncio, sys, pathlib\n"
        "from conductor.adapters.stores import SqlStore\n"
        "async def main():\n"
        "    await (await SqlStore.open(pathlib.Path(sys.argv[1]))).aclose()\n"
        "asyncio.run(main())\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "conductor.db"], check=True, timeout=60)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path):
    path = tmp_path / "conductor.db"
    await made(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(StateError, match="newer Conductor") as caught:
        await SqlStore.open(path)
    assert "Upgrade Conductor" in caught.value.remedy
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


async def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path):
    path = tmp_path / "conductor.db"
    path.write_bytes(b"this is no database at all" * 500)
    with pytest.raises(StateError, match="damaged") as caught:
        await SqlStore.open(path)
    assert "Move the file away" in caught.value.remedy


async def test_a_file_with_damaged_pages_is_refused_with_what_to_do(tmp_path: Path):
    path = tmp_path / "conductor.db"
    await made(path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StateError, match="damaged") as caught:
        await (await SqlStore.open(path)).list_runs()
    assert "Move the file away" in caught.value.remedy


async def test_a_record_that_does_not_fit_is_refused_with_what_to_do(tmp_path: Path):
    path = tmp_path / "conductor.db"
    await made(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("""UPDATE runs SET run = '{"id": 1}'""")
        database.commit()
    store = await SqlStore.open(path)
    with pytest.raises(StateError, match="record"):
        await store.find_run("shop-abc")
    await store.aclose()


async def test_a_full_disk_says_what_to_do_and_what_was_written_before_stays(tmp_path: Path):
    path = tmp_path / "conductor.db"
    await made(path)
    store = await SqlStore.open(path)
    store.database.engine.dispose()
    event.listen(
        store.database.engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA max_page_count=1"),
    )
    many = (store.append(an_event(f"{n}{'x' * 4000}")) for n in range(200))
    with pytest.raises(StateError, match="disk is full") as caught:
        await _one_by_one(many)
    assert "Free some space" in caught.value.remedy
    assert (await store.find_run("shop-abc")).run == a_run()
    await store.aclose()


async def test_a_folder_that_cannot_be_made_says_what_to_set(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="folder") as caught:
        await SqlStore.open(tmp_path / "file" / "conductor.db")
    assert "CONDUCTOR_STATE" in caught.value.remedy


async def test_a_path_that_is_a_folder_says_that_it_cannot_be_opened(tmp_path: Path):
    with pytest.raises(StateError, match="cannot be opened"):
        await SqlStore.open(tmp_path)


async def test_another_processs_long_hold_is_a_conflict_that_may_be_tried_again(tmp_path: Path):
    path = tmp_path / "conductor.db"
    await made(path)
    store = await SqlStore.open(path)
    event.listen(
        store.database.engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA busy_timeout=1"),
    )
    store.database.engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConflictError, match="another process") as caught:
            await store.append(an_event("k"))
    assert caught.value.retryable
    await store.aclose()


async def test_a_database_server_that_does_not_answer_is_unreachable():
    pytest.importorskip("psycopg", reason="the driver for Postgres is not installed")
    with pytest.raises(UnreachableError) as caught:
        await SqlStore.open("postgresql://ada:hunter2@127.0.0.1:1/conductor")
    assert "hunter2" not in str(caught.value)
