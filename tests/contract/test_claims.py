"""The contract of claims, on both databases: of those who claim an issue at the same time exactly one gets it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contract.stores import NOON, replicas

from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.claims import SqlClaims
from conductor.domain.claim import Claim

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


@pytest.fixture
async def claims(where: Path | str) -> AsyncIterator[SqlClaims]:
    opened = await SqlStore.open(where)
    yield SqlClaims(opened.database)
    await opened.aclose()


def a_claim(principal: str, issue: int = 12, *, after: timedelta = timedelta(0)) -> Claim:
    at = NOON + after
    return Claim(
        repository="Acme/Shop",
        issue=issue,
        principal=principal,
        branch=f"{issue}-cart",
        claimed_at=at,
        expires_at=at + HOUR,
    )


async def test_the_first_gets_it_and_the_second_is_told_who_has_it(claims: SqlClaims):
    mine = a_claim("ada")
    assert await claims.claim(mine) == mine
    assert await claims.claim(a_claim("ben", after=timedelta(minutes=1))) == mine
    assert await claims.find("ACME/shop", 12) == mine


async def test_ones_own_claim_is_renewed_and_keeps_what_shows_it(claims: SqlClaims):
    mine = a_claim("ada")
    await claims.claim(mine)
    await claims.update(replace(mine, marks={"comment": "7"}))
    renewed = await claims.claim(
        replace(a_claim("ada", after=timedelta(minutes=30)), environment="shop-env-1")
    )
    assert renewed == replace(
        mine, marks={"comment": "7"}, expires_at=NOON + timedelta(minutes=90), environment="shop-env-1"
    )
    assert await claims.claim(a_claim("ada")) == renewed, "a shorter one takes nothing away"


async def test_a_claim_that_is_over_gives_way(claims: SqlClaims):
    await claims.claim(a_claim("ada"))
    later = a_claim("ben", after=HOUR)
    assert await claims.claim(later) == later


async def test_a_late_word_of_a_claim_that_was_lost_changes_nothing(claims: SqlClaims):
    await claims.claim(a_claim("ada"))
    later = a_claim("ben", after=HOUR)
    await claims.claim(later)
    await claims.update(replace(a_claim("ada"), marks={"comment": "7"}))
    assert await claims.release("acme/shop", 12, principal="ada") is None
    assert await claims.release("acme/shop", 12, over_before=NOON + HOUR) is None
    assert await claims.find("acme/shop", 12) == later
    again = a_claim("ben", after=3 * HOUR)
    await claims.claim(again)
    await claims.update(replace(later, marks={"comment": "7"}))
    assert await claims.find("acme/shop", 12) == again, (
        "an earlier claim of the same principal is another one"
    )


async def test_a_released_issue_is_free_and_a_second_release_finds_nothing(claims: SqlClaims):
    mine = await claims.claim(a_claim("ada"))
    assert await claims.release("acme/SHOP", 12, principal="ada") == mine
    assert await claims.release("acme/shop", 12) is None
    assert (await claims.claim(a_claim("ben"))).principal == "ben"


async def test_claims_are_listed_first_to_end_first_and_by_repository(claims: SqlClaims):
    second, first = a_claim("ada", 2, after=HOUR), a_claim("ada", 1)
    other = replace(a_claim("ben", 3), repository="acme/api", expires_at=NOON + 3 * HOUR)
    for one in (second, other, first):
        await claims.claim(one)
    assert await claims.claims() == [first, second, other]
    assert await claims.claims(repositories=("ACME/SHOP",)) == [first, second]
    assert await claims.claims(over_before=NOON + HOUR) == [first]
    assert await claims.claims(repositories=()) == []


async def test_two_servers_whose_agents_race_for_ten_issues_a_hundred_times_claim_nothing_twice(
    where: Path | str,
):
    """Each round everybody wants every issue, in an order of their own; what one has got is released at its end."""
    async with replicas(where, 2) as stores:
        servers = [SqlClaims(store.database) for store in stores]
        won: Counter[str] = Counter()
        for turn in range(100):
            agents = {f"agent-{number}": servers[number % 2] for number in range(2)}

            async def take(agent: str, claims: SqlClaims, turn: int = turn) -> list[tuple[str, str]]:
                forwards = agent == f"agent-{turn % 2}"
                issues = range(1, 11) if forwards else range(10, 0, -1)
                got = await asyncio.gather(
                    *(claims.claim(a_claim(agent, issue, after=timedelta(seconds=turn))) for issue in issues)
                )
                return [(str(one.issue), one.principal) for one in got]

            told = await asyncio.gather(*(take(*one) for one in agents.items()))
            assert set(told[0]) == set(told[1]), "both are told the same owner of each issue"
            owners = dict(told[0])
            assert len(owners) == 10
            won.update(owners.values())
            freed = [await servers[0].release("acme/shop", issue) for issue in range(1, 11)]
            assert {str(one.issue): one.principal for one in freed if one} == owners
        assert won.total() == 1000
        assert len(won) == 2, f"no race: {won}"
