"""What retention chooses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.retention import Kept, Retention, to_remove

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def kept(run: str, days: int | None, size_bytes: int = 10) -> Kept:
    return Kept(
        run=run, attempt=1, size_bytes=size_bytes, ended_at=None if days is None else NOON - days * DAY
    )


def names(found: list[Kept]) -> list[str]:
    return [one.run for one in found]


def test_what_is_older_than_the_limit_goes_and_what_is_as_old_stays():
    found = [kept("old", 8), kept("as-old", 7), kept("new", 1)]
    assert names(to_remove(found, Retention(keep_for=7 * DAY), now=NOON)) == ["old"]


def test_the_oldest_go_until_the_rest_fits():
    found = [kept("c", 1), kept("a", 3), kept("b", 2)]
    assert names(to_remove(found, Retention(most_bytes=15), now=NOON)) == ["a", "b"]


def test_what_may_not_go_stays_and_takes_its_room():
    found = [kept("busy", None, 100), kept("a", 2), kept("b", 1)]
    assert names(to_remove(found, Retention(most_bytes=110), now=NOON)) == ["a"]


def test_without_limits_everything_stays():
    assert to_remove([kept("a", 4000, 10**15)], Retention(), now=NOON) == []


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 30)), st.integers(0, 50)), max_size=20),
    st.integers(0, 500),
)
def test_the_rest_fits_or_nothing_more_may_go(given_: list[tuple[int | None, int]], most: int):
    found = [kept(f"r{number}", days, size) for number, (days, size) in enumerate(given_)]
    going = to_remove(found, Retention(most_bytes=most), now=NOON)
    left = [one for one in found if one not in going]
    assert all(one.ended_at is not None for one in going)
    assert sum(one.size_bytes for one in left) <= most or all(one.ended_at is None for one in left)
