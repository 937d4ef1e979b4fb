"""The contract of inbox, outbox and duties, over SQLite and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.contract.stores import NOON, replicas

from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.inbox import SqlDuties, SqlInbox, SqlOutbox
from conductor.adapters.stores.tables import duties
from conductor.domain.delivery import Announcement, Delivery, DeliveryStatus

AN_HOUR = timedelta(hours=1)
AN_ANNOUNCEMENT = Announcement(run="shop-a", attempt=1, hosting="github")


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


@pytest.fixture
async def store(where: Path | str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(where)
    yield opened
    await opened.aclose()


@pytest.fixture
def inbox(store: SqlStore) -> SqlInbox:
    return SqlInbox(store.database)


@pytest.fixture
def outbox(store: SqlStore) -> SqlOutbox:
    return SqlOutbox(store.database)


def a_delivery(delivery_id: str, **changes: object) -> Delivery:
    body = b'{"ref": "refs/tags/v1"}\x00\xff\n'
    return replace(
        Delivery(id=delivery_id, hosting="github", event="push", body=body, received_at=NOON), **changes
    )


async def test_a_delivery_comes_back_byte_for_byte_and_a_known_id_changes_nothing(inbox: SqlInbox):
    assert await inbox.store(a_delivery("d1"))
    assert not await inbox.store(a_delivery("d1", body=b"another", event="ping"))
    assert await inbox.find("d1") == a_delivery("d1")
    assert await inbox.find("d2") is None


async def test_a_delivery_that_many_bring_at_once_is_new_to_one_of_them(where: Path | str):
    async with replicas(where, 4) as stores:
        inboxes = [SqlInbox(store.database) for store in stores]
        stored = await asyncio.wait_for(
            asyncio.gather(*(inboxes[n % 4].store(a_delivery(f"d{n // 4}")) for n in range(80))), 60
        )
        assert sum(stored) == 20
        assert len(await inboxes[0].due(now=NOON)) == 20


async def test_what_is_due_comes_in_the_order_of_arrival_with_its_body(inbox: SqlInbox):
    for name in ("d3", "d1", "d2"):
        await inbox.store(a_delivery(name))
    assert [one.id for one in await inbox.due(now=NOON)] == ["d3", "d1", "d2"]
    assert [one.id for one in await inbox.due(now=NOON, limit=1)] == ["d3"]
    assert (await inbox.due(now=NOON))[0].body == a_delivery("d3").body


async def test_what_is_settled_is_due_no_more_and_says_what_came_of_it(inbox: SqlInbox):
    await inbox.store(a_delivery("d1"))
    await inbox.settle("d1", DeliveryStatus.STARTED, note="started", run="shop-a", attempt=2)
    assert await inbox.due(now=NOON + AN_HOUR) == []
    found = await inbox.find("d1")
    assert (found.status, found.note, found.run, found.attempt) == (
        DeliveryStatus.STARTED,
        "started",
        "shop-a",
        2,
    )


async def test_what_is_postponed_is_due_at_its_time_and_its_tries_are_counted(inbox: SqlInbox):
    await inbox.store(a_delivery("d1"))
    for _ in range(2):
        await inbox.postpone("d1", until=NOON + AN_HOUR, note="the forge was away")
    assert await inbox.due(now=NOON + AN_HOUR - timedelta(seconds=1)) == []
    (due,) = await inbox.due(now=NOON + AN_HOUR)
    assert (due.tries, due.note, due.due_at) == (2, "the forge was away", NOON + AN_HOUR)


async def test_what_was_given_up_waits_again_once_it_is_postponed(inbox: SqlInbox):
    await inbox.store(a_delivery("d1"))
    await inbox.settle("d1", DeliveryStatus.FAILED)
    await inbox.postpone("d1", until=NOON, note="it was delivered again")
    assert [one.id for one in await inbox.due(now=NOON)] == ["d1"]


async def test_the_list_shows_the_latest_without_their_bodies(inbox: SqlInbox):
    for name in ("d1", "d2", "d3"):
        await inbox.store(a_delivery(name))
    await inbox.settle("d2", DeliveryStatus.IGNORED)
    assert [(one.id, one.body) for one in await inbox.deliveries(limit=2)] == [("d3", b""), ("d2", b"")]
    assert [one.id for one in await inbox.deliveries(status=DeliveryStatus.IGNORED)] == ["d2"]


async def test_only_old_and_settled_deliveries_are_forgotten(inbox: SqlInbox):
    for name, received in (("old", NOON), ("waits", NOON), ("new", NOON + AN_HOUR)):
        await inbox.store(a_delivery(name, received_at=received))
    for name in ("old", "new"):
        await inbox.settle(name, DeliveryStatus.DONE)
    assert await inbox.forget(before=NOON + AN_HOUR) == 1
    assert [one.id for one in await inbox.deliveries()] == ["new", "waits"]


async def test_an_announcement_is_opened_once_and_goes_on_from_where_it_was(outbox: SqlOutbox):
    await outbox.open(AN_ANNOUNCEMENT)
    told = replace(AN_ANNOUNCEMENT, told="abc", marks={"check": "1"}, due_at=NOON, tries=1, error="503")
    await outbox.save(told)
    await outbox.open(AN_ANNOUNCEMENT)
    assert await outbox.find("shop-a", 1) == told
    assert await outbox.find("shop-a", 2) is None


async def test_announcements_are_due_until_the_end_was_told_and_the_longest_due_come_first(
    outbox: SqlOutbox,
):
    for attempt in range(1, 5):
        await outbox.open(replace(AN_ANNOUNCEMENT, attempt=attempt))
    for attempt, due_at in ((1, NOON), (2, NOON - AN_HOUR), (3, NOON + AN_HOUR)):
        await outbox.save(replace(AN_ANNOUNCEMENT, attempt=attempt, due_at=due_at))
    assert [one.attempt for one in await outbox.due(now=NOON)] == [4, 2, 1]
    await outbox.save(replace(AN_ANNOUNCEMENT, attempt=2, final=True))
    assert [one.attempt for one in await outbox.due(now=NOON, limit=2)] == [4, 1]


async def test_a_duty_is_one_holders_until_it_is_dropped_and_keeping_it_is_no_second(store: SqlStore):
    held = SqlDuties(store.database)
    assert [await held.hold("sweep", who, lasting=AN_HOUR) for who in ("one", "two", "one")] == [
        True,
        False,
        True,
    ]
    await held.drop("sweep", "two")
    assert not await held.hold("sweep", "two", lasting=AN_HOUR)
    assert await held.hold("announce", "two", lasting=AN_HOUR)
    await held.drop("sweep", "one")
    assert await held.hold("sweep", "two", lasting=AN_HOUR)


async def test_a_duty_that_has_lapsed_is_taken_over_by_one_of_those_who_ask(where: Path | str):
    async with replicas(where, 4) as stores:
        held = [SqlDuties(store.database) for store in stores]
        assert await held[0].hold("sweep", "dead", lasting=AN_HOUR)
        lapsed = update(duties).values(until=duties.c.until - AN_HOUR.total_seconds())
        await stores[0].database.write("letting it lapse", lambda db: db.execute(lapsed).close())
        asked = [one.hold("sweep", f"{n}", lasting=AN_HOUR) for n, one in enumerate(held)]
        assert sum(await asyncio.wait_for(asyncio.gather(*asked), 60)) == 1
        assert not await held[0].hold("sweep", "dead", lasting=AN_HOUR)
