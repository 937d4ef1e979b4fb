"""From frames and files to lines, however they are cut."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.adapters.docker.logs.lines import HEADER, FileEntries, Frames, Lines


def frame(stream: int, text: str) -> bytes:
    payload = text.encode()
    return HEADER.pack(stream, len(payload)) + payload


BODY = (
    frame(1, "2026-11-23T13:19:43.611144241Z " + "x" * 8000)
    + frame(2, "2026-11-23T13:19:43.611220005Z err\n")
    + frame(1, "2026-11-23T13:19:43.611225313Z yz\n")
    + frame(1, "2026-11-23T13:19:44Z one\n")
    + frame(1, "2026-11-23T13:19:44Z two \u00e9\n")
    + frame(1, "2026-11-23T13:19:44Z \n")
    + frame(1, "2026-11-23T13:19:45Z no end")
)


@given(st.lists(st.integers(0, len(BODY)), max_size=6))
def test_frames_are_put_together_wherever_they_are_cut(cuts: list[int]):
    frames, bounds = Frames(Lines("web"), tty=False), [0, *sorted(cuts), len(BODY)]
    lines = [line for a, b in pairwise(bounds) for line in frames.feed(BODY[a:b])]
    lines += frames.rest()
    assert [(line.stream, line.text) for line in lines] == [
        ("stderr", "err"),
        ("stdout", "x" * 8000 + "yz"),
        ("stdout", "one"),
        ("stdout", "two \u00e9"),
        ("stdout", ""),
        ("stdout", "no end"),
    ]


def test_lines_of_one_moment_have_times_of_their_own_in_order():
    lines = list(Frames(Lines("web"), tty=False).feed(BODY))
    assert [line.at.microsecond for line in lines[2:]] == [0, 1, 2]
    assert lines[1].at == datetime(2026, 11, 23, 13, 19, 43, 611144, tzinfo=UTC)


def test_a_terminal_s_output_is_cut_at_line_ends():
    frames = Frames(Lines("web"), tty=True)
    lines = [
        *frames.feed(b"2026-11-23T13:19:47Z hi\r\n2026-11"),
        *frames.feed(b"-23T13:19:47Z there"),
        *frames.rest(),
    ]
    assert [line.text for line in lines] == ["hi", "there"]


FILE = (
    b"2026-11-23T13:19:43.611144241+00:00 stdout P part\n"
    b"2026-11-23T13:19:43.611220005+00:00 stderr F err\n"
    b"2026-11-23T13:19:44.612223165+00:00 stdout F ial\n"
    b"2026-11-23T13:19:44.612223165+00:00 stdout F \n"
    b"not an entry\n"
    b"2026-11-23T13:19:45+00:00 stdout P rest\n"
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_podman_s_file_is_read_wherever_reading_stops(size: int):
    entries = FileEntries(Lines("web"))
    lines = [line for start in range(0, len(FILE), size) for line in entries.feed(FILE[start : start + size])]
    lines += entries.rest()
    assert [(line.stream, line.text) for line in lines] == [
        ("stderr", "err"),
        ("stdout", "partial"),
        ("stdout", ""),
        ("stdout", "rest"),
    ]


def test_a_line_without_end_is_cut_before_it_fills_the_memory():
    frames = Frames(Lines("web"), tty=False)
    fed = [line for _ in range(200) for line in frames.feed(frame(1, "2026-11-23T13:19:43Z " + "x" * 16_000))]
    assert [len(line.text) >= 2**20 for line in fed] == [True] * len(fed)
    assert len(fed) == 3
