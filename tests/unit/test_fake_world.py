"""The small fakes: clock, builder, forge, secrets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.orders import an_order

from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.clock import START, FakeClock
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.misfortunes import parse_misfortunes
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.domain.run import Run, Source
from conductor.errors import NotFoundError, RunError

HOUR = timedelta(hours=1)


async def quiet(line: str) -> None: ...


async def test_time_passes_when_everybody_sleeps_and_wakes_them_in_order():
    clock, order = FakeClock(), []

    async def sleeper(name: str, hours: int) -> None:
        await clock.sleep(hours * HOUR)
        order.append((name, clock.now() - START))

    await asyncio.wait_for(asyncio.gather(sleeper("late", 3), sleeper("early", 1), sleeper("middle", 2)), 10)
    assert order == [("early", HOUR), ("middle", 2 * HOUR), ("late", 3 * HOUR)]


async def test_a_clock_that_is_not_automatic_stands_still_until_it_is_advanced():
    clock = FakeClock(automatic=False)
    sleeper = asyncio.create_task(clock.sleep(HOUR))
    await asyncio.sleep(0)
    clock.advance(HOUR / 2)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(HOUR / 2)
    await asyncio.wait_for(sleeper, 10)
    assert clock.now() == START + HOUR


async def test_a_sleeper_that_was_cancelled_holds_nobody_up():
    clock = FakeClock()
    leaving = asyncio.create_task(clock.sleep(HOUR))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait_for(clock.sleep(2 * HOUR), 10)
    assert clock.now() == START + 2 * HOUR


async def test_what_was_built_is_found_also_by_a_later_builder(tmp_path: Path):
    assert await FakeBuilder(tmp_path).find(an_order("abc")) is None
    built = await FakeBuilder(tmp_path).build(an_order("abc"), on_line=quiet)
    assert await FakeBuilder(tmp_path).find(an_order("abc")) == built


async def test_a_build_fails_where_it_was_asked_to():
    builder = FakeBuilder(misfortunes=parse_misfortunes("build/web:BuildFailed"))
    await builder.build(an_order("1", name="tests/tests"), on_line=quiet)
    with pytest.raises(RunError) as caught:
        await builder.build(an_order("2", name="web"), on_line=quiet)
    assert (caught.value.reason, builder.builds) == ("BuildFailed", ["tests/tests"])


async def test_a_repository_is_cloned_over_whatever_was_there(tmp_path: Path):
    forge = FakeForge({"/shop": FakeRepository(files={"a/b.txt": "hello"}, refs=("v1",))})
    source = await forge.resolve("/shop", "v1")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "old").touch()
    await forge.clone(source, tmp_path / "tree")
    assert (tmp_path / "tree" / "a" / "b.txt").read_text() == "hello"
    assert not (tmp_path / "tree" / "old").exists()
    with pytest.raises(NotFoundError):
        await forge.resolve("/shop", "v2")


async def test_a_forge_that_is_broken_says_that_the_clone_failed(tmp_path: Path):
    forge = FakeForge({"/shop": FakeRepository(files={})}, broken={"/shop"})
    with pytest.raises(RunError) as caught:
        await forge.clone(await forge.resolve("/shop", None), tmp_path)
    assert (caught.value.reason, caught.value.fault) == ("CloneFailed", "platform")


async def test_every_missing_secret_is_named_and_found_ones_are_masked():
    secrets = FakeSecrets({"KEY_QA": "hunter2hunter2"})
    run = Run(
        id="r", repository="r", source=Source(location="/"), principal="p", requested_at=datetime.now(UTC)
    )
    with pytest.raises(RunError, match="A_QA, B_QA"):
        await secrets.sync(run, {"tests": ["A", "KEY", "B"]})
    await secrets.sync(run, {"tests": ["KEY"]})
    assert secrets.masker("r")("it is hunter2hunter2") == "it is ***"
