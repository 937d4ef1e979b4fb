"""One question for all who ask at the same time: nobody gets an answer that is older than their question."""

from __future__ import annotations

import asyncio

import pytest

from conductor.adapters.kubernetes.seeing.together import Together
from conductor.errors import UnreachableError


class Source:
    """Answers with the number of the question, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.asked += 1
        self.begun.set()
        number = self.asked
        await self.may_answer.wait()
        if self.fails:
            raise UnreachableError("no")
        return number


async def test_who_ask_while_an_answer_is_on_its_way_share_the_next_one() -> None:
    source = Source()
    together = Together(source)
    first = asyncio.create_task(together())
    await asyncio.wait_for(source.begun.wait(), 5)
    others = [asyncio.create_task(together()) for _ in range(5)]
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 5


async def test_what_goes_wrong_is_told_to_all_and_the_next_question_is_put_anew() -> None:
    source = Source()
    source.fails = True
    source.may_answer.set()
    together = Together(source)
    told = await asyncio.gather(together(), together(), return_exceptions=True)
    assert [type(one) for one in told] == [UnreachableError, UnreachableError]
    source.fails = False
    assert await together() == source.asked


async def test_who_leaves_while_waiting_disturbs_nobody() -> None:
    source = Source()
    together = Together(source)
    leaving, staying = asyncio.create_task(together()), asyncio.create_task(together())
    await asyncio.wait_for(source.begun.wait(), 5)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    source.may_answer.set()
    assert await staying == 1
