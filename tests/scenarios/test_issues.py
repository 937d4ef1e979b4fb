"""Who works on an issue, over time: leases that end, forges that are away, issues that are closed, servers and agents that race."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.fake.clock import FakeClock
from conductor.adapters.fake.issues import FakeIssues
from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.claims import SqlClaims
from conductor.errors import ConflictError, NotFoundError, RefusedError, UnreachableError, UsageError
from conductor.operations import issues
from conductor.operations.serving import CLAIMS, Pace, serve_loops
from conductor.ports.issues import Tracking
from tests.scenarios.service_stage import BOUND_SECONDS, Server

SHOP = "acme/shop"
HOUR = timedelta(hours=1)


@asynccontextmanager
async def tracked(where: Path | str, forge: FakeIssues, clock: FakeClock) -> AsyncIterator[Tracking]:
    store = await SqlStore.open(where)
    try:
        yield Tracking(
            claims=SqlClaims(store.database), issues={forge.name: forge}, clock=clock, allowed=("acme/*",)
        )
    finally:
        await store.aclose()


@pytest.fixture
def forge() -> FakeIssues:
    forge = FakeIssues()
    for number in range(1, 11):
        forge.add(SHOP, number, f"Task {number}", labels=("agents",) if number % 2 else ())
    return forge


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(automatic=False)


@pytest.fixture
async def tracking(tmp_path: Path, forge: FakeIssues, clock: FakeClock) -> AsyncIterator[Tracking]:
    async with tracked(tmp_path / "conductor.db", forge, clock) as opened:
        yield opened


async def test_a_claim_names_the_branch_is_shown_and_lasts_as_the_settings_say(
    tracking: Tracking, forge: FakeIssues, clock: FakeClock
):
    claim = await issues.claim(tracking, "Acme/Shop", 3, principal="ada")
    assert (claim.branch, claim.expires_at - clock.now(), claim.hosting) == ("3-task-3", 8 * HOUR, "fake")
    assert forge.shown[SHOP, 3].principal == "ada"
    views = await issues.list_issues(tracking, SHOP, labels=("agents",))
    assert [(one.issue.number, one.claim and one.claim.principal) for one in views[:2]] == [
        (1, None),
        (3, "ada"),
    ]
    assert (await issues.find_issue(tracking, SHOP, 3)).claim is not None
    assert [one.issue for one in await issues.list_claims(tracking, principal="ada")] == [3]
    assert await issues.list_claims(tracking, principal="ben") == []


async def test_a_lease_that_ends_frees_the_issue_and_the_forge_says_so(
    tracking: Tracking, forge: FakeIssues, clock: FakeClock
):
    await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=HOUR)
    await issues.claim(tracking, SHOP, 4, principal="ada", keep_for=3 * HOUR)
    clock.advance(HOUR)
    assert (await issues.find_issue(tracking, SHOP, 3)).claim is None
    assert await issues.free(tracking) == Counter(freed=1)
    assert set(forge.shown) == {(SHOP, 4)}
    assert [one.issue for one in await tracking.claims.claims()] == [4]


async def test_a_forge_that_is_away_is_told_later(tracking: Tracking, forge: FakeIssues, clock: FakeClock):
    forge.befall("show_claim", UnreachableError("away"))
    claim = await issues.claim(tracking, SHOP, 3, principal="ada")
    assert (claim.marks, forge.shown) == ({}, {})
    assert await issues.free(tracking) == Counter(), "whoever made it has a minute to show it"
    clock.advance(timedelta(minutes=2))
    assert await issues.free(tracking) == Counter(shown=1)
    assert set(forge.shown) == {(SHOP, 3)}
    forge.befall("hide_claim", UnreachableError("away"))
    assert await issues.release(tracking, SHOP, 3, principal="ada") is not None
    assert (await issues.find_issue(tracking, SHOP, 3)).claim is None, "free for others at once"
    assert set(forge.shown) == {(SHOP, 3)}
    assert await issues.free(tracking) == Counter(freed=1)
    assert forge.shown == {}


async def test_who_takes_an_issue_while_its_last_claim_is_being_hidden_is_shown(
    tracking: Tracking, forge: FakeIssues, clock: FakeClock
):
    await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=HOUR)
    clock.advance(HOUR)
    await asyncio.gather(
        issues.free(tracking), issues.claim(tracking, SHOP, 3, principal="ben"), issues.free(tracking)
    )
    assert forge.shown[SHOP, 3].principal == "ben"
    assert (await issues.find_issue(tracking, SHOP, 3)).claim is not None


async def test_a_closed_issue_is_freed_and_cannot_be_claimed(tracking: Tracking, forge: FakeIssues):
    await issues.claim(tracking, SHOP, 3, principal="ada")
    await issues.claim(tracking, SHOP, 4, principal="ada")
    forge.close(SHOP, 3)
    assert await issues.free_closed(tracking) == Counter(freed=1)
    assert [one.issue for one in await tracking.claims.claims()] == [4]
    with pytest.raises(UsageError, match="is closed"):
        await issues.claim(tracking, SHOP, 3, principal="ben")


async def test_what_a_forge_refuses_to_show_is_claimed_all_the_same_and_not_tried_again(
    tracking: Tracking, forge: FakeIssues, clock: FakeClock
):
    forge.befall("show_claim", RefusedError("the permission issues: write is missing"))
    claim = await issues.claim(tracking, SHOP, 3, principal="ada")
    assert claim.marks == {issues.NOT_SHOWN: "the permission issues: write is missing"}
    clock.advance(HOUR)
    assert await issues.free(tracking) == Counter()


async def test_only_ones_own_is_released_or_renewed(tracking: Tracking, clock: FakeClock):
    await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=HOUR)
    for refused in (issues.release, issues.renew):
        with pytest.raises(ConflictError, match="ada works on acme/shop#3 until"):
            await refused(tracking, SHOP, 3, principal="ben")
    renewed = await issues.renew(tracking, SHOP, 3, principal="ada", environment="shop-env-k3v9qd")
    assert (renewed.expires_at - clock.now(), renewed.environment) == (8 * HOUR, "shop-env-k3v9qd")
    clock.advance(9 * HOUR)
    assert await issues.release(tracking, SHOP, 3, principal="ben") is None, "it is over"
    again = await issues.renew(tracking, SHOP, 3, principal="ada")
    assert not again.is_over(clock.now()), "over, but nobody else took it"
    assert (await issues.release(tracking, SHOP, 3)).principal == "ada"
    with pytest.raises(NotFoundError, match="nobody has claimed"):
        await issues.renew(tracking, SHOP, 3, principal="ada")


async def test_work_on_ones_own_issue_renews_its_claim_and_on_anothers_changes_nothing(
    tracking: Tracking, clock: FakeClock
):
    assert await issues.work_on(tracking, SHOP, 3, principal="ada", environment="shop-env-a") is None
    await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=HOUR)
    assert await issues.work_on(tracking, SHOP, 3, principal="ben", environment="shop-env-b") is None
    worked = await issues.work_on(tracking, SHOP, 3, principal="ada", environment="shop-env-a")
    assert worked == (await issues.find_issue(tracking, SHOP, 3)).claim
    assert (worked.environment, worked.expires_at - clock.now()) == ("shop-env-a", 8 * HOUR)
    assert (await issues.work_on(tracking, SHOP, 3, principal="ada")).environment == "shop-env-a"


async def test_repositories_that_are_not_allowed_and_spans_that_cannot_be_are_refused(tracking: Tracking):
    with pytest.raises(RefusedError, match="not on the list"):
        await issues.list_issues(tracking, "evil/shop")
    for span in (timedelta(0), timedelta(days=8)):
        with pytest.raises(UsageError, match="cannot last"):
            await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=span)


async def test_a_server_frees_what_is_over_by_itself(tmp_path: Path):
    server = Server(tmp_path)
    server.issues.add(SHOP, 3, "Task")
    async with server.launched():
        tracking = server.service.tracking
        assert tracking
        await issues.claim(tracking, SHOP, 3, principal="ada", keep_for=HOUR)
        server.clock.advance(2 * HOUR)
        async with (
            asyncio.timeout(BOUND_SECONDS),
            serve_loops(server.service, pace=Pace(claims=timedelta(milliseconds=10))) as state,
        ):
            while state.counts["claims.freed"] == 0:
                assert CLAIMS not in state.failing
                await asyncio.sleep(0.01)
        assert (server.issues.shown, await tracking.claims.claims()) == ({}, [])


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_two_servers_two_agents_ten_issues_a_hundred_times_and_no_double_claim(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, forge: FakeIssues, clock: FakeClock
):
    """Each agent asks its own server for whatever is free, until nothing is; what each holds is checked while it holds it."""
    where = request.getfixturevalue("postgres") if kind == "postgres" else tmp_path / "conductor.db"
    held: dict[int, str] = {}
    won: Counter[str] = Counter()

    async def work(name: str, tracking: Tracking, *, backwards: bool) -> None:
        for number in range(10, 0, -1) if backwards else range(1, 11):
            try:
                claim = await issues.claim(tracking, SHOP, number, principal=name)
            except ConflictError:
                continue
            assert claim.principal == name
            assert held.setdefault(number, name) == name, f"{number} has two owners"
            won[name] += 1

    async with AsyncExitStack() as opened:
        servers = [await opened.enter_async_context(tracked(where, forge, clock)) for _ in range(2)]
        rounds = 100 if kind == "postgres" else 10
        for turn in range(rounds):
            await asyncio.gather(
                *(
                    work(f"agent-{number}", server, backwards=bool((turn + number) % 2))
                    for number, server in enumerate(servers)
                )
            )
            assert len(held) == 10
            for number, name in held.items():
                assert await servers[turn % 2].claims.release(SHOP, number, principal=name)
            held.clear()
    assert won.total() == rounds * 10
    assert len(won) == 2, f"nobody raced: {won}"
