"""Environments as they are kept, on SQLite and Postgres: a key is there once, and what is over stays over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.adapters.stores.environments import SqlEnvironments
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.domain.run import Source
from conductor.errors import UsageError

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ONE = Environment(
    id="shop-env-aaaaaa",
    repository="acme/Shop",
    source=Source(location="/srv/shop", commit="a" * 40),
    branch="12-cart",
    principal="kim",
    requested_at=NOW,
    issue=12,
)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


@pytest.fixture
async def kept(database: str | Path) -> AsyncIterator[SqlEnvironments]:
    store = await SqlStore.open(database)
    yield SqlEnvironments(store.database)
    await store.aclose()


def another(number: int, **changes: object) -> Environment:
    return replace(ONE, id=f"shop-env-{number:06d}", requested_at=NOW + timedelta(seconds=number), **changes)  # type: ignore[arg-type]


async def test_of_many_that_ask_for_the_same_at_once_all_get_one(database: str | Path):
    stores = [await SqlStore.open(database) for _ in range(3)]
    asking = [SqlEnvironments(stores[number % 3].database).request(another(number)) for number in range(30)]
    rows = await asyncio.gather(*asking)
    assert len({row.environment.id for row in rows}) == 1
    for store in stores:
        await store.aclose()


async def test_another_issue_branch_or_person_gets_another(kept: SqlEnvironments):
    asked = [
        ONE,
        another(1, issue=13),
        another(2, principal="lee"),
        another(3, issue=None),
        another(4, issue=None, branch="x"),
    ]
    rows = [await kept.request(one) for one in asked]
    assert [row.environment for row in rows] == asked


async def test_an_ending_frees_the_key_and_stays_an_ending(kept: SqlEnvironments):
    await kept.request(ONE)
    await kept.set_state(ONE, EnvironmentState(status=EnvironmentStatus.READY), executor="one")
    assert (await kept.request(another(1))).environment == ONE
    over = EnvironmentState(status=EnvironmentStatus.FAILED, message="no image")
    await kept.set_state(ONE, over)
    await kept.set_state(ONE, EnvironmentState(status=EnvironmentStatus.READY))
    row = await kept.find(ONE.id)
    assert row
    assert (row.state, row.executor) == (over, "one")
    assert (await kept.request(another(2))).environment == another(2)


async def test_it_is_found_by_the_beginning_of_its_id_and_listed_latest_first(kept: SqlEnvironments):
    await kept.request(ONE)
    await kept.request(another(5, issue=None, repository="acme/other"))
    assert [row.environment.id for row in await kept.list_environments()] == ["shop-env-000005", ONE.id]
    assert len(await kept.list_environments(repositories=["ACME/shop"])) == 1
    assert len(await kept.list_environments(statuses=[EnvironmentStatus.READY])) == 0
    found = await kept.find("shop-env-aa")
    assert found
    assert found.environment == ONE
    assert await kept.find("nothing") is None
    with pytest.raises(UsageError, match="could be"):
        await kept.find("shop-env")
