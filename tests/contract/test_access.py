"""The contract of tokens, audit log and idempotency keys, over SQLite and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contract.stores import NOON, replicas

from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.access import ANSWERS_LAST, CLAIMS_LAST, SqlAccess
from conductor.domain.access import Deed, Role, Token
from conductor.errors import ConflictError

A_TOKEN = Token(
    id="k3v9qdab",
    name="ci",
    role=Role.RUN,
    repositories=frozenset({"acme/shop", "acme/api"}),
    digest="0" * 64,
    created_at=NOON,
    created_by="ada",
    expires_at=NOON + timedelta(days=30),
)
A_SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


@pytest.fixture
async def access(where: Path | str) -> AsyncIterator[SqlAccess]:
    opened = await SqlStore.open(where)
    yield SqlAccess(opened.database)
    await opened.aclose()


async def test_a_token_comes_back_as_it_was_and_stays_once_it_is_revoked(access: SqlAccess):
    await access.save_token(A_TOKEN)
    assert await access.find_token(A_TOKEN.id) == A_TOKEN
    revoked = replace(A_TOKEN, revoked_at=NOON)
    await access.save_token(revoked)
    assert await access.find_token(A_TOKEN.id) == revoked
    assert await access.find_token("another") is None


async def test_tokens_are_listed_oldest_first(access: SqlAccess):
    for name, age in (("b", 0), ("a", 2), ("c", 1)):
        await access.save_token(replace(A_TOKEN, id=name, created_at=NOON - timedelta(days=age)))
    assert [one.id for one in await access.tokens()] == ["a", "c", "b"]


async def test_the_last_use_is_known_to_the_minute_and_saving_the_token_does_not_lose_it(access: SqlAccess):
    await access.save_token(A_TOKEN)
    for seconds in (0, 59):
        await access.used(A_TOKEN.id, at=NOON + timedelta(seconds=seconds))
    assert (await access.find_token(A_TOKEN.id)).last_used_at == NOON
    await access.used(A_TOKEN.id, at=NOON + timedelta(seconds=60))
    await access.save_token(replace(A_TOKEN, revoked_at=NOON))
    assert (await access.find_token(A_TOKEN.id)).last_used_at == NOON + timedelta(seconds=60)
    await access.used("unknown", at=NOON)


async def test_deeds_are_numbered_and_read_backwards_page_by_page(access: SqlAccess):
    deed = Deed(
        at=NOON,
        principal="ada",
        what="run.cancel",
        subject="shop-a",
        repository="acme/shop",
        detail="by hand",
    )
    for n in range(5):
        await access.record(replace(deed, detail=str(n)))
    first = await access.deeds(limit=2)
    assert [one.detail for one in first] == ["4", "3"]
    rest = await access.deeds(before=first[-1].number)
    assert [one.detail for one in rest] == ["2", "1", "0"]
    assert rest[-1] == replace(deed, detail="0", number=rest[-1].number)


async def test_a_key_is_claimed_once_and_answered_alike_ever_after(access: SqlAccess):
    assert await access.claim("ada", "k", request="r", at=NOON) is None
    with pytest.raises(ConflictError, match="still at work"):
        await access.claim("ada", "k", request="r", at=NOON)
    await access.answered("ada", "k", status=202, body='{"id": "shop-a"}')
    assert await access.claim("ada", "k", request="r", at=NOON) == (202, '{"id": "shop-a"}')
    assert await access.claim("bob", "k", request="r", at=NOON) is None


async def test_a_key_of_another_request_is_refused(access: SqlAccess):
    await access.claim("ada", "k", request="r", at=NOON)
    await access.answered("ada", "k", status=202, body="{}")
    with pytest.raises(ConflictError, match="another request"):
        await access.claim("ada", "k", request="other", at=NOON)


async def test_a_key_that_was_given_free_is_new_again(access: SqlAccess):
    await access.claim("ada", "k", request="r", at=NOON)
    await access.answered("ada", "k", status=0, body="")
    assert await access.claim("ada", "k", request="other", at=NOON) is None


async def test_a_claim_of_a_dead_process_lapses_and_an_answer_is_forgotten_after_a_day(access: SqlAccess):
    await access.claim("ada", "k", request="r", at=NOON)
    with pytest.raises(ConflictError):
        await access.claim("ada", "k", request="r", at=NOON + CLAIMS_LAST)
    late = NOON + CLAIMS_LAST + A_SECOND
    assert await access.claim("ada", "k", request="r", at=late) is None
    await access.answered("ada", "k", status=200, body="")
    assert await access.claim("ada", "k", request="r", at=late + ANSWERS_LAST) == (200, "")
    assert await access.claim("ada", "k", request="r", at=late + ANSWERS_LAST + A_SECOND) is None


async def test_of_many_that_claim_a_key_at_once_one_gets_it(where: Path | str):
    async with replicas(where, 4) as stores:
        asked = [SqlAccess(stores[n % 4].database).claim("ada", "k", request="r", at=NOON) for n in range(20)]
        got = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)
        assert sum(one is None for one in got) == 1
        assert sum(isinstance(one, ConflictError) for one in got) == 19
