"""Whatever an answer is made of, it fits, and what is left of it makes sense."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.domain.run import Source
from conductor.errors import UnreachableError
from conductor.mcp.answers.environments import LONGEST_MESSAGE as OF_A_PLACE
from conductor.mcp.answers.environments import Place
from conductor.mcp.answers.evidence import LogPart
from conductor.mcp.answers.runs import LONGEST_MESSAGE, Standing
from conductor.mcp.fitting import LIMIT_BYTES, fits, largest, line
from conductor.mcp.refusals import in_words
from conductor.ports.environments import EnvironmentRow
from tests.surfaces.story import ASKED, FAILED, row

NASTY = ("a" * 20_000, "\U0001f600" * 20_000, '"\\' * 10_000, "\x1b[31m\u202eé" * 9_000, "a\n" * 9_000)


@pytest.mark.parametrize("text", NASTY)
def test_how_a_run_stands_fits_whatever_was_said_of_it(text: str):
    ended = row(outcome=replace(FAILED, message=text, remedy=text))
    happened = [line(text, 200)] * 10
    standing = largest(
        LONGEST_MESSAGE, lambda room: Standing.of(ended, happened=happened, after=9, room=room), least=50
    )
    assert fits(standing)
    assert standing.message
    assert "run_digest" in standing.next


@pytest.mark.parametrize("text", NASTY)
def test_how_an_environment_stands_fits_whatever_was_said_of_it(text: str):
    environment = Environment(
        id="shop-env-k3v9qd",
        repository="acme/shop",
        source=Source(location="/shop", commit="c" * 40),
        branch="12-orders",
        principal="agent",
        requested_at=ASKED,
    )
    state = EnvironmentState(
        status=EnvironmentStatus.FAILED,
        message=text,
        reason=text,
        remedy=text,
        secrets=(text,) * 99,
        links={f"{number}{text}": "https://example.org/" + "x" * 280 for number in range(99)},
    )
    shown = EnvironmentRow(environment=environment, state=state)
    place = largest(OF_A_PLACE, lambda room: Place.of(shown, "/workspace", room), least=10)
    assert fits(place)
    assert place.message
    assert len(place.secrets) == 30


@pytest.mark.parametrize("text", NASTY)
def test_a_log_goes_on_by_at_least_a_line(text: str):
    def part(number: int) -> LogPart:
        return LogPart(
            run="shop-k3v9qd",
            attempt=1,
            lines=[line(text)] * number,
            offset=0,
            total=300,
            next=number,
            services=[line(text, 40)] * 20,
        )

    shown = largest(300, part)
    assert fits(shown)
    assert shown.next


@pytest.mark.parametrize("text", NASTY)
def test_a_refusal_fits_with_its_remedy(text: str):
    said = in_words(UnreachableError(text, remedy=f"do this: {text}"))
    assert len(said.encode()) < LIMIT_BYTES
    assert "What to do: do this: " in said
    assert said.endswith("(unreachable; the same call may go well later)")


def test_a_credential_in_an_error_is_hidden():
    assert "ghp_" not in in_words(UnreachableError("asking with ghp_" + "a" * 36))


def test_the_largest_is_found():
    stamp = datetime(2026, 11, 24, tzinfo=UTC).isoformat()

    def part(number: int) -> LogPart:
        return LogPart(
            run="r", attempt=1, lines=[stamp] * number, offset=0, total=999, next=number, services=[]
        )

    found = largest(999, part)
    assert found.next
    assert fits(found)
    assert not fits(part(found.next + 1))
