"""Streams: who goes on after the last frame that came misses nothing and is told nothing twice; many followers have one reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from conductor.domain.report import LogLine
from conductor.domain.run import Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import UnreachableError
from conductor.operations.following import BATCH, KEPT, Following, LogPosition
from conductor.web.streams import EventStream, place_of, place_text
from tests.surfaces.api_stage import API, Api, api

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUICK = {"every": timedelta(milliseconds=1), "patience": timedelta(milliseconds=20)}


def frames(text: str) -> list[tuple[str, str, str]]:
    """Read a stream as (id, kind, data)."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields.get("id", ""), fields["event"], fields["data"]))
    return found


def line(number: int, workload: str = "backend") -> LogLine:
    """Several lines share a time, as engines give them."""
    return LogLine(workload=workload, at=NOON + timedelta(seconds=number // 3), text=f"line {number}")


async def stream(asked: Api, path: str, last: str = "") -> list[tuple[str, str, str]]:
    answer = await asked.ask("GET", API + path, headers={"Last-Event-ID": last} if last else {})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return frames(answer.text)


async def test_events_go_on_after_any_frame_without_loss_or_repetition(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        whole = await stream(asked, f"/runs/{run.id}/events/stream")
        assert whole[-1][1] == "end"
        assert [int(number) for number, kind, _ in whole if kind != "end"] == list(range(1, len(whole)))
        for at, (number, _, _) in enumerate(whole[:-1]):
            assert await stream(asked, f"/runs/{run.id}/events/stream", number) == whole[at + 1 :]


async def test_events_come_while_the_run_goes_on_and_end_with_it(tmp_path: Path):
    async with api(tmp_path) as asked:
        _, delivery = asked.server.push()
        await asked.server.handle(delivery)
        run = (await asked.server.the_run()).run
        following = asyncio.create_task(stream(asked, f"/runs/{run.id}/events/stream"))
        await asked.server.until_quiet()
        told = await asyncio.wait_for(following, 30)
        assert "run.ended" in {kind for _, kind, _ in told}
        assert [number for number, _, _ in told[:-1]] == [str(n + 1) for n in range(len(told) - 1)]


async def test_logs_go_on_after_any_frame_without_loss_or_repetition(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        evidence = asked.server.service.world.evidence
        for workload in ("one", "two/3&=é"):
            await evidence.append_log(run.id, 1, [line(number, workload) for number in range(BATCH + 100)])
        path = f"/runs/{run.id}/logs/stream"
        whole = await stream(asked, path)
        texts = [one for _, kind, data in whole if kind == "lines" for one in json.loads(data)]
        recorded = [one async for one in evidence.read_log(run.id, 1)]
        assert sorted((one["workload"], one["text"]) for one in texts) == sorted(
            (one.workload, one.text) for one in recorded
        )
        for at, (place, kind, _) in enumerate(whole[:-1]):
            assert kind == "lines"
            rest = await stream(asked, path, place)
            after = [one for _, kind, data in rest if kind == "lines" for one in json.loads(data)]
            told = [one for _, _, data in whole[: at + 1] for one in json.loads(data)]
            assert sorted(map(str, told + after)) == sorted(map(str, texts))
        only = await stream(asked, f"{path}?workload=one")
        assert {one["workload"] for _, kind, data in only if kind == "lines" for one in json.loads(data)} == {
            "one"
        }


async def collect(lines: AsyncIterator[object]) -> list[str]:
    return [one.text async for told in lines for one in told.items]  # type: ignore[attr-defined]


async def test_followers_that_come_at_any_time_are_told_every_line_once_by_one_reader(tmp_path: Path):
    async with api(tmp_path) as asked:
        _, delivery = asked.server.push()
        await asked.server.handle(delivery)
        run = (await asked.server.the_run()).run
        world = asked.server.service.world
        following = Following(world, **QUICK)
        followers = []
        for start in range(0, KEPT + 2000, 500):
            await world.evidence.append_log(run.id, 1, [line(n) for n in range(start, start + 500)])
            told = following.lines(run.id, LogPosition(attempt=1))
            followers.append(asyncio.create_task(collect(told)))
            await asyncio.sleep(0)
        assert following.readers <= 1
        await world.store.set_status(run, Status.ENDED, at=NOON, outcome=Outcome(verdict=Verdict.CANCELLED))
        expected = [f"line {number}" for number in range(KEPT + 2000)]
        for follower in followers:
            assert await asyncio.wait_for(follower, 60) == expected
        assert (following.readers, following.followers) == (0, 0)


async def test_who_follows_a_run_is_told_of_its_next_attempt_too(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        await asked.post(f"/runs/{run.id}/retry")
        following = asyncio.create_task(stream(asked, f"/runs/{run.id}/logs/stream", "1"))
        await asked.server.until_quiet()
        told = await asyncio.wait_for(following, 30)
        assert {place.partition("&")[0] for place, kind, _ in told if kind == "lines"} == {"1", "2"}


async def test_a_follower_that_leaves_takes_its_reader_with_it(tmp_path: Path):
    async with api(tmp_path) as asked:
        _, delivery = asked.server.push()
        await asked.server.handle(delivery)
        run = (await asked.server.the_run()).run
        following = Following(asked.server.service.world, **QUICK)
        told = following.events(run.id)
        async for one in told:
            assert one.items
            break
        assert following.readers == 1
        await told.aclose()
        assert (following.readers, following.followers) == (0, 0)


async def test_a_stream_says_that_it_is_alive_and_ends_when_the_server_stops(tmp_path: Path):
    async with api(tmp_path) as asked:
        _, delivery = asked.server.push()
        await asked.server.handle(delivery)
        run = (await asked.server.the_run()).run
        stops: list[bool] = []
        following = Following(asked.server.service.world, is_stopping=lambda: bool(stops), **QUICK)
        silent = 0
        with pytest.raises(UnreachableError):  # noqa: PT012 -- it comes in the midst of following
            async with asyncio.timeout(30):
                async for one in following.events(run.id):
                    silent += not one.items
                    if silent == 2:
                        stops.append(True)
        assert silent >= 2


async def written(number: int, *, then: Exception | None = None) -> AsyncGenerator[LogLine]:
    for one in range(number):
        yield line(one, "workspace")
    if then:
        raise then


async def test_a_log_that_is_counted_goes_on_after_any_line_and_ends_with_its_workspace(tmp_path: Path):
    async with api(tmp_path) as asked:
        following = Following(asked.server.service.world, **QUICK)
        total = BATCH + 7
        for after in (0, 1, BATCH, total - 1, total, total + 1):
            told = [one async for one in following.counted(written(total), after=after)]
            texts = [entry.text for one in told for entry in one.items]
            assert texts == [f"line {number}" for number in range(after, total)]
            assert not told or told[-1].after == total
        away = UnreachableError("the engine is away", remedy="Wait.")
        with pytest.raises(UnreachableError, match="engine"):
            await collect(following.counted(written(3, then=away)))


async def test_a_log_that_is_silent_is_told_to_be_alive_until_the_server_stops(tmp_path: Path):
    async def silent() -> AsyncGenerator[LogLine]:
        yield line(0)
        await asyncio.Event().wait()

    async with api(tmp_path) as asked:
        stops: list[bool] = []
        following = Following(asked.server.service.world, is_stopping=lambda: bool(stops), **QUICK)
        told = []
        with pytest.raises(UnreachableError, match="stop"):  # noqa: PT012 -- it comes in the midst of following
            async with asyncio.timeout(30):
                async for one in following.counted(silent()):
                    told.append(len(one.items))
                    if len(told) == 3:
                        stops.append(True)
        assert told == [1, 0, 0]


async def test_a_client_that_takes_nothing_is_let_go():
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b": still here\n\n"

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/"}
    async with asyncio.timeout(10):
        await EventStream(endless(), patience=0.01)(scope, receive, send)


@given(
    st.integers(1, 9),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 10**9), max_size=5
    ),
)
def test_a_place_in_the_logs_is_read_as_it_was_written(attempt: int, counts: dict[str, int]):
    place = LogPosition(attempt=attempt, counts=counts)
    assert place_of(place_text(place), latest=9) == place


@given(st.text())
def test_a_place_that_makes_no_sense_is_the_beginning(text: str):
    place = place_of(text, latest=3)
    assert 1 <= place.attempt <= 3
    assert all(number >= 0 for number in place.counts.values())
