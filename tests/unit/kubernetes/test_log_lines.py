"""What a kubelet answers becomes whole lines, each once, whatever the times and however the bytes are cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.adapters.kubernetes.streams.log_lines import LONGEST_LINE, Lines
from conductor.adapters.kubernetes.streams.log_lives import find_gap, lives
from conductor.domain.report import LogLine

BEGAN = datetime(2026, 11, 23, 16, 0, 5, tzinfo=UTC)


def stamped(nanoseconds: int, text: bytes) -> bytes:
    at = BEGAN + timedelta(seconds=nanoseconds // 10**9)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z ".encode() + text + b"\n"


def read(answer: bytes, *, since: datetime | None = None, cuts: Sequence[int] = ()) -> list[LogLine]:
    lines = Lines("web", since=since)
    edges = [0, *sorted(cut % (len(answer) + 1) for cut in cuts), len(answer)]
    found = [line for start, end in pairwise(edges) for line in lines.feed(answer[start:end])]
    return [*found, *lines.rest()]


def test_a_line_has_its_text_and_its_time_to_the_microsecond():
    (line,) = read(stamped(1_234_567_891, b"hello"))
    assert (line.workload, line.text, line.at) == ("web", "hello", BEGAN + timedelta(microseconds=1_234_567))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"", ""),
        (b"progress 1\rprogress 2\r", "progress 1\rprogress 2"),
        (b"a\xe2\x80\xa8b\x0bc\x1cd", "a\u2028b\x0bc\x1cd"),
        (b"caf\xe9 \xff", "caf� �"),
        (b"2026-11-23T16:00:00Z not its own time", "2026-11-23T16:00:00Z not its own time"),
    ],
)
def test_only_a_line_feed_ends_a_line_and_what_is_no_text_is_replaced(written: bytes, text: str):
    assert [line.text for line in read(stamped(0, written) + stamped(1, b"next"))] == [text, "next"]


def test_what_has_no_end_is_a_line_at_the_end():
    assert [line.text for line in read(stamped(0, b"one") + stamped(1000, b"last").rstrip(b"\n"))] == [
        "one",
        "last",
    ]


def test_the_kubelets_own_words_are_no_line_of_the_container():
    assert read(b"unable to retrieve container logs for containerd://1234") == []


def test_a_line_of_many_megabytes_is_cut_and_nothing_of_it_is_lost():
    long = b"x" * (3 * LONGEST_LINE + 17)
    found = read(stamped(0, long) + stamped(10**9, b"after"), cuts=range(0, len(long), 100_000))
    assert "".join(line.text for line in found[:-1]) == long.decode()
    assert found[-1].text == "after"
    assert all(len(line.text) <= LONGEST_LINE + 40 for line in found)
    assert [line.at for line in found] == sorted({line.at for line in found})


TIMES = st.lists(st.integers(0, 5 * 10**9), min_size=1, max_size=40).map(sorted)


@given(times=TIMES, crowd=st.integers(0, 3), cuts=st.lists(st.integers(0, 10**6), max_size=8))
def test_times_ascend_strictly_and_do_not_depend_on_how_bytes_are_cut(
    times: list[int], crowd: int, cuts: list[int]
):
    times = sorted([*times, *times[:crowd], *(t + 300 for t in times)])
    answer = b"".join(stamped(at, str(number).encode()) for number, at in enumerate(times))
    whole = read(answer)
    assert read(answer, cuts=cuts) == whole
    assert [line.text for line in whole] == [str(number) for number in range(len(times))]
    assert all(before.at < after.at for before, after in pairwise(whole))


@given(times=TIMES, place=st.integers(0, 200))
def test_reading_on_from_any_line_gives_exactly_the_rest(times: list[int], place: int):
    """The server resumes at whole seconds, and is asked for the one before."""
    times = sorted([*times, *(t + 300 for t in times)])
    whole = read(b"".join(stamped(at, str(number).encode()) for number, at in enumerate(times)))
    last = whole[place % len(whole)]
    begin = int((last.at - BEGAN - timedelta(seconds=1)).total_seconds()) * 10**9
    again = b"".join(stamped(at, str(number).encode()) for number, at in enumerate(times) if at >= begin)
    assert read(again, since=last.at) == whole[whole.index(last) + 1 :]


def pod(*, restarts: int = 0, running: bool = True, last: bool = False) -> dict[str, object]:
    state = {"running" if running else "terminated": {"startedAt": "2026-11-23T16:00:00Z"}}
    before = {"terminated": {"startedAt": "2026-11-23T15:00:00Z"}} if last else {}
    status = {"name": "web", "restartCount": restarts, "state": state, "lastState": before}
    return {
        "metadata": {"name": "web-1", "namespace": "n", "uid": "u"},
        "status": {"containerStatuses": [status]},
    }


def test_a_kubelet_has_the_last_life_of_a_container_and_the_present_one():
    found = lives(pod(restarts=3, last=True), "web")
    assert [(life.number, life.is_previous) for life in found] == [(2, True), (3, False)]
    assert [(life.number, life.is_previous) for life in lives(pod(), "web")] == [(0, False)]


def test_what_never_started_has_no_life():
    waiting = pod()
    waiting["status"] = {"containerStatuses": [{"name": "web", "restartCount": 0, "state": {"waiting": {}}}]}
    assert lives(waiting, "web") == []


def test_a_log_that_begins_later_than_what_is_known_of_it_tells_of_the_gap():
    (life,) = lives(pod(), "web")
    since, first = BEGAN + timedelta(minutes=1), BEGAN + timedelta(minutes=2)
    gap = find_gap(life, "web", since, first)
    assert gap is not None
    assert "rotated" in gap.text
    assert since < gap.at < first


@pytest.mark.parametrize("after", [timedelta(0), timedelta(microseconds=1)])
def test_a_log_that_still_has_what_is_known_has_no_gap(after: timedelta):
    (life,) = lives(pod(), "web")
    since = BEGAN + timedelta(minutes=1)
    assert find_gap(life, "web", since, since + after) is None


def test_a_container_that_started_after_the_last_known_line_has_no_gap():
    (life,) = lives(pod(), "web")
    assert find_gap(life, "web", BEGAN - timedelta(hours=1), BEGAN) is None
