"""A storm of deliveries, some twice, some lost, in any order, while the server is killed again and again: one run for each commit."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.stores.inbox import SqlInbox
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.delivery import Delivery
from tests.scenarios.storm_story import Storm, storm

PROGRAM = Path(__file__).with_name("storm_story.py")
ROOT = Path(__file__).parents[2]


class Play:
    """The server's lives, and the webhook that goes on storing meanwhile."""

    def __init__(self, folder: Path, seed: int, pushes: int, *, postgres: str | None = None) -> None:
        self.folder = folder
        self.arguments = [str(folder), str(seed), str(pushes), *([postgres] if postgres else [])]
        self.storm: Storm = storm(seed, pushes)
        self.where = postgres or folder / "conductor.db"
        self.chance = random.Random(seed)  # noqa: S311 -- a play
        self.codes: list[int | None] = []

    async def weather(self, *, kills: int, most_writes: int, bound: float) -> Any:
        """Send everything in as many parts as there are kills, each into a life that ends badly; then one life to the end."""
        store = await SqlStore.open(self.where)
        inbox = SqlInbox(store.database)
        parts = [self.storm.sent[number::kills] for number in range(kills)]
        for part in parts:
            life = await self._begin(CONDUCTOR_KILL_AFTER=str(self.chance.randint(1, most_writes)))
            await self._send(inbox, part)
            await asyncio.wait_for(life.communicate(), bound)
            self.codes.append(life.returncode)
        life = await self._begin(CONDUCTOR_ALL_SENT="1")
        out, err = await asyncio.wait_for(life.communicate(), bound)
        assert life.returncode == 0, err.decode()[-4000:]
        await store.aclose()
        return json.loads(out)

    async def _begin(self, **environment: str) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            *self.arguments,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=PIPE,
            stderr=PIPE,
        )

    @staticmethod
    async def _send(inbox: SqlInbox, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await inbox.store(delivery)


def verify(play: Play, ended: Any, *, kills: int) -> None:
    """See that every commit has its one run, and that nothing is left."""
    assert play.codes == [-9] * kills
    assert sorted(map(tuple, ended["runs"])) == sorted(play.storm.commits)
    assert ended["attempts"] == [1]
    assert set(ended["verdicts"]) <= {"passed", "superseded"}
    assert (ended["orphans"], ended["namespaces"]) == ([], [])
    assert ended["counts"]["reconciled.tags"] + ended["counts"]["reconciled.deliveries"] > 0


@pytest.mark.crash
@pytest.mark.timeout(240)
async def test_sixty_pushes_through_three_kills_are_one_run_each(tmp_path: Path):
    play = Play(tmp_path, seed=1, pushes=60)
    ended = await play.weather(kills=3, most_writes=300, bound=120)
    verify(play, ended, kills=3)


@pytest.mark.crash
@pytest.mark.timeout(240)
async def test_a_storm_through_kills_is_one_run_each_on_postgres_too(tmp_path: Path, postgres: str):
    play = Play(tmp_path, seed=3, pushes=40, postgres=postgres)
    ended = await play.weather(kills=2, most_writes=200, bound=120)
    verify(play, ended, kills=2)


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_thousand_deliveries_through_ten_kills_are_one_run_for_each_commit(tmp_path: Path):
    play = Play(tmp_path, seed=2, pushes=800)
    assert len(play.storm.sent) + len(play.storm.lost) >= 1000
    ended = await play.weather(kills=10, most_writes=1500, bound=900)
    verify(play, ended, kills=10)


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_hundreds_of_deliveries_through_ten_kills_are_one_run_for_each_commit_on_postgres(
    tmp_path: Path, postgres: str
):
    play = Play(tmp_path, seed=4, pushes=200, postgres=postgres)
    ended = await play.weather(kills=10, most_writes=400, bound=600)
    verify(play, ended, kills=10)
