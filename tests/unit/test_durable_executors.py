"""A free lock is the only sign that its owner is dead."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from conductor.durable.locks import Locks
from conductor.errors import ConflictError, StateError


def test_every_process_that_enters_has_an_id_of_its_own(tmp_path: Path):
    assert len({Locks(tmp_path).enter("same-name") for _ in range(20)}) == 20


async def test_who_entered_lives_until_it_leaves(tmp_path: Path):
    one, other = Locks(tmp_path), Locks(tmp_path)
    own = one.enter()
    assert await other.living([own])
    one.leave()
    assert not await other.living([own])


async def test_who_never_was_is_dead(tmp_path: Path):
    assert not await Locks(tmp_path).living(["vm-1-abcdef"])


async def test_looking_does_not_hold_anybody_up(tmp_path: Path):
    one, other = Locks(tmp_path), Locks(tmp_path)
    own = one.enter()
    assert [await other.living([own]) for _ in range(3)] == [{own}] * 3
    one.leave()
    assert [await other.living([own]) for _ in range(3)] == [set()] * 3


async def test_a_living_process_is_not_taken_over_and_is_named(tmp_path: Path):
    one, other = Locks(tmp_path), Locks(tmp_path)
    own = one.enter()
    with pytest.raises(ConflictError, match=r"process \d+ on "):
        async with other.takeover(own):
            pass


async def test_only_one_takes_a_dead_process_over_at_a_time(tmp_path: Path):
    inside: list[int] = []

    async def take(number: int) -> None:
        async with Locks(tmp_path).takeover("vm-1-abcdef"):
            inside.append(number)
            assert inside == [number]
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(take(number) for number in range(5)))


async def test_locks_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path):
    one, other = Locks(tmp_path), Locks(tmp_path)
    own = one.enter()
    (tmp_path / "executors" / "vm-1-dead.lock").touch()
    await other.sweep()
    assert [path.stem for path in (tmp_path / "executors").iterdir()] == [own]
    assert await other.living([own])


def test_a_state_folder_that_cannot_be_used_is_told_with_what_to_do(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        Locks(tmp_path / "file").enter()
    assert caught.value.remedy


def test_looking_at_the_locks_does_not_bring_the_library_with_it():
    looking = "import sys; from conductor.durable.locks import Locks; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", looking], check=False, timeout=60).returncode == 0
