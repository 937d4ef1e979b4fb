"""The contract of evidence, over a real folder."""

import asyncio
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.adapters.evidence import FolderEvidence
from conductor.adapters.evidence.lines import offset_before
from conductor.domain.report import LogLine
from conductor.errors import NotFoundError, RefusedError, StateError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = "shop-k3v9qd"
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def evidence(tmp_path: Path) -> FolderEvidence:
    return FolderEvidence(tmp_path / "state")


def line(text: str, microseconds: int = 0, workload: str = "web", stream: str = "stdout") -> LogLine:
    return LogLine(workload=workload, at=NOON + microseconds * MICROSECOND, text=text, stream=stream)


def numbered(count: int, *, start: int = 0, workload: str = "web") -> list[LogLine]:
    return [line(f"line {n}", n, workload) for n in range(start, start + count)]


async def read(evidence: FolderEvidence, workload: str | None = "web", **wanted: object) -> list[LogLine]:
    return [one async for one in evidence.read_log(RUN, 1, workload=workload, **wanted)]


def log_path(evidence: FolderEvidence, workload: str = "web") -> Path:
    return evidence.folder(RUN, 1) / "logs" / f"{workload}.log"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "  two spaces  ",
        "\x1b[31mred\x1b[0m",
        "ünïcödé ✓",
        "a\rb\r",
        "tab\tnul\x00",
        "\u2028\x85",
        "12:00 stdout x",
    ],
)
async def test_a_line_comes_back_as_it_was(evidence: FolderEvidence, text: str):
    written = [line(text, 123456, stream="stderr"), line("next", 123457)]
    await evidence.append_log(RUN, 1, written)
    assert await read(evidence) == written


async def test_line_ends_within_a_text_make_lines_of_one_time(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, [line("one\ntwo\n"), line("three")])
    assert [one.text for one in await read(evidence)] == ["one", "two", "three"]


async def test_what_is_no_unicode_is_replaced(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, [line("a\udc80b")])
    assert [one.text for one in await read(evidence)] == ["a?b"]


async def test_nothing_is_logged_of_what_never_wrote(evidence: FolderEvidence):
    assert await evidence.last_logged(RUN, 1, "web") is None
    assert await read(evidence) == []
    assert await read(evidence, None) == []
    assert await evidence.workloads(RUN, 1) == []
    assert await evidence.files(RUN, 1) == []
    await evidence.append_log(RUN, 1, [])


async def test_looking_makes_no_folder(evidence: FolderEvidence, tmp_path: Path):
    await evidence.files(RUN, 1)
    await read(evidence)
    await evidence.delete(RUN)
    assert not (tmp_path / "state").exists()


async def test_each_attempt_has_its_own(evidence: FolderEvidence):
    await evidence.append_log(RUN, 2, [line("second")])
    assert await read(evidence) == []
    assert evidence.folder(RUN, 1) != evidence.folder(RUN, 2)


async def test_logs_of_all_are_read_in_the_order_of_their_times(evidence: FolderEvidence):
    lines = [
        line(str(n), n, workload) for n, workload in enumerate(["web", "api", "api", "db", "web", "tests"])
    ]
    shuffled = sorted(lines, key=lambda one: one.workload)
    await evidence.append_log(RUN, 1, shuffled)
    assert await evidence.workloads(RUN, 1) == ["api", "db", "tests", "web"]
    assert await read(evidence, None) == lines
    assert await read(evidence, None, tail=4) == lines[-4:]
    assert await read(evidence, None, since=lines[2].at) == lines[3:]
    assert await read(evidence, None, since=lines[2].at, tail=1) == lines[-1:]


@pytest.mark.parametrize("tail", [0, 1, 5, 2999, 3000, 9999])
async def test_the_tail_is_the_last_lines(evidence: FolderEvidence, tail: int):
    lines = numbered(3000)
    await evidence.append_log(RUN, 1, lines)
    assert await read(evidence, tail=tail) == lines[len(lines) - min(tail, len(lines)) :]


async def test_reading_since_gives_what_is_strictly_later(evidence: FolderEvidence):
    lines = numbered(20_000)
    await evidence.append_log(RUN, 1, lines)
    for n in (0, 1, 9_999, 19_998, 19_999):
        assert await read(evidence, since=lines[n].at) == lines[n + 1 :]
    assert await read(evidence, since=NOON - MICROSECOND) == lines


async def test_reading_since_begins_near_the_end_of_a_long_log(evidence: FolderEvidence):
    lines = numbered(100_000)
    await evidence.append_log(RUN, 1, lines)
    file = os.open(log_path(evidence), os.O_RDONLY)
    start = offset_before(file, lines[-10].at)
    os.close(file)
    assert log_path(evidence).stat().st_size - start < 128 * 1024
    assert len(await read(evidence)) == 100_000


async def test_lines_longer_than_any_block_are_whole(evidence: FolderEvidence):
    lines = [line("x" * 300_000, 1), line("short", 2), line("y" * 1_000_000, 3), line("z", 4)]
    await evidence.append_log(RUN, 1, lines)
    assert await read(evidence) == lines
    assert await read(evidence, tail=3) == lines[1:]
    assert await read(evidence, since=lines[1].at) == lines[2:]
    assert await evidence.last_logged(RUN, 1, "web") == lines[-1].at


@pytest.mark.parametrize(
    "half", [b"2026-11-23T12:00", b"2026-11-23T12:00:09.000000Z stdout half a li", b"x" * 200_000]
)
async def test_a_half_written_last_line_is_mended(evidence: FolderEvidence, half: bytes):
    lines = numbered(3)
    await evidence.append_log(RUN, 1, lines[:2])
    with log_path(evidence).open("ab") as file:
        file.write(half)
    again = FolderEvidence(evidence.folder(RUN, 1).parents[2])
    assert await read(again) == lines[:2]
    assert await read(again, tail=1) == lines[1:2]
    assert await again.last_logged(RUN, 1, "web") == lines[1].at
    await again.append_log(RUN, 1, lines[2:])
    assert await read(again) == lines


async def test_a_capture_that_goes_on_after_a_crash_writes_no_line_twice_and_loses_none(
    evidence: FolderEvidence,
):
    one_moment = [line(text, 7) for text in ("a", "b", "b", "b", "c")]
    lines = [*numbered(5), *one_moment, line("d", 8)]
    await evidence.append_log(RUN, 1, lines[:7])
    again = FolderEvidence(evidence.folder(RUN, 1).parents[2])
    last = await again.last_logged(RUN, 1, "web")
    on_record = [one for one in await read(again, since=last - MICROSECOND) if one.at == last]
    repeated = [one for one in lines if one.at > last - MICROSECOND]
    await again.append_log(RUN, 1, repeated[len(on_record) :])
    assert await read(again) == lines


async def test_lines_from_before_the_last_moment_are_not_recorded_again_by_the_next_writer(
    evidence: FolderEvidence,
):
    lines = [*numbered(2000), line("line 1999", 1999)]
    await evidence.append_log(RUN, 1, lines)
    again = FolderEvidence(evidence.folder(RUN, 1).parents[2])
    for start in range(0, 1999, 100):
        await again.append_log(RUN, 1, lines[start : min(start + 100, 1999)])
    assert await read(again) == lines


async def test_a_workload_that_repeats_itself_within_one_moment_is_believed(evidence: FolderEvidence):
    for _ in range(3):
        await evidence.append_log(RUN, 1, [line("same"), line("same")])
    assert len(await read(evidence)) == 6


async def test_two_writers_at_once_keep_every_line_whole(evidence: FolderEvidence):
    other = FolderEvidence(evidence.folder(RUN, 1).parents[2])
    batches = [
        [line(f"{who} {n} {'x' * 500}", n) for n in range(m, m + 50)]
        for who in "ab"
        for m in range(0, 500, 50)
    ]
    writers = [(evidence if n < 10 else other).append_log(RUN, 1, batch) for n, batch in enumerate(batches)]
    await asyncio.gather(*writers)
    texts = [one.text for one in await read(evidence)]
    assert sorted(texts) == sorted(one.text for batch in batches for one in batch)


WRITER = """
import asyncio, pathlib, sys
from datetime import datetime, timedelta, UTC
from conductor.adapters.evidence import FolderEvidence
from conductor.domain.report import LogLine

async def main():
    evidence = FolderEvidence(pathlib.Path(sys.argv[1]))
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    for n in range(1_000_000):
        at = noon + timedelta(microseconds=n)
        await evidence.append_log("shop-k3v9qd", 1, [LogLine(workload="web", at=at, text=f"line {n}")])
        print(n, flush=True)

asyncio.run(main())
"""


async def test_what_was_appended_survives_a_kill_right_after(evidence: FolderEvidence, tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "state")]
    writer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    while int(await asyncio.wait_for(writer.stdout.readline(), 60)) < 50:
        pass
    writer.send_signal(signal.SIGKILL)
    acknowledged = (await asyncio.wait_for(writer.stdout.read(), 60)).split()
    await asyncio.wait_for(writer.wait(), 60)
    lines = await read(evidence)
    assert lines == numbered(len(lines))
    assert len(lines) >= 51 + len(acknowledged)


@pytest.mark.parametrize(
    "workload",
    [
        "..",
        ".",
        "../../escape",
        "/etc/passwd",
        "a/b",
        "nul\x00",
        "new\nline",
        "ü" * 300,
        "x" * 5000,
        "-rf",
        "con.log",
        "%2e",
    ],
)
async def test_hostile_names_of_workloads_stay_in_the_folder(
    evidence: FolderEvidence, workload: str, tmp_path: Path
):
    await evidence.append_log(RUN, 1, [line("mine", workload=workload), line("other", workload="web")])
    assert [one.text for one in await read(evidence, workload)] == ["mine"]
    made = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 -- a test waits for nobody
    assert {path.parent for path in made} == {evidence.folder(RUN, 1) / "logs"}
    (found,) = [one for one in await evidence.workloads(RUN, 1) if one != "web"]
    assert [one.text for one in await read(evidence, found)] == ["mine"]


@pytest.mark.parametrize(
    "name", ["report.md", "artifacts/coverage/index.html", "artifacts/.nyc/ü - b", "--force"]
)
async def test_a_saved_file_is_there_under_its_name(evidence: FolderEvidence, name: str):
    async def blocks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    path = await evidence.save(RUN, 1, name, blocks())
    assert path.read_bytes() == b"onetwo"
    await evidence.save(RUN, 1, name, b"three")
    assert path.read_bytes() == b"three"
    assert await evidence.files(RUN, 1) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "nul\x00",
        "checkout/x",
        "logs/web.log",
        "./logs/x",
        "scratch/x",
    ],
)
async def test_names_that_lead_elsewhere_are_refused(evidence: FolderEvidence, name: str):
    with pytest.raises(RefusedError, match="leads elsewhere"):
        await evidence.save(RUN, 1, name, b"x")


async def test_a_link_that_leads_elsewhere_is_not_followed(evidence: FolderEvidence, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (evidence.folder(RUN, 1) / "artifacts").symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError, match="link"):
        await evidence.save(RUN, 1, "artifacts/x", b"x")
    assert list((tmp_path / "outside").iterdir()) == []


async def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(
    evidence: FolderEvidence, tmp_path: Path
):
    (tmp_path / "outside").write_text("precious")
    (evidence.folder(RUN, 1) / "report.md").symlink_to(tmp_path / "outside")
    await evidence.save(RUN, 1, "report.md", b"x")
    assert (tmp_path / "outside").read_text() == "precious"


async def test_a_file_whose_content_breaks_off_leaves_what_was_there(evidence: FolderEvidence):
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("the engine died")

    await evidence.save(RUN, 1, "report.md", b"whole")
    with pytest.raises(StateError):
        await evidence.save(RUN, 1, "report.md", breaks_off())
    assert (evidence.folder(RUN, 1) / "report.md").read_bytes() == b"whole"
    assert [path.name for path in evidence.folder(RUN, 1).iterdir()] == ["report.md"]


async def test_a_file_in_the_place_of_a_folder_is_an_error_of_ours(evidence: FolderEvidence):
    await evidence.save(RUN, 1, "a", b"x")
    with pytest.raises(StateError, match="keeping 'a/b'"):
        await evidence.save(RUN, 1, "a/b", b"x")


async def test_only_what_was_saved_is_listed(evidence: FolderEvidence):
    folder = evidence.folder(RUN, 1)
    for inside in ("checkout", "scratch", "logs", ".clone-1", "artifacts"):
        (folder / inside).mkdir()
        (folder / inside / "file").touch()
    (folder / "artifacts" / ".saving-1").touch()
    (folder / "artifacts" / "link").symlink_to("/etc/passwd")
    assert await evidence.files(RUN, 1) == ["artifacts/file"]


@pytest.mark.parametrize("run_id", ["", "..", "a/b", "../shop", "a" * 100, "a\n", "-rf"])
async def test_what_is_no_id_of_a_run_has_no_folder(evidence: FolderEvidence, run_id: str):
    with pytest.raises(NotFoundError):
        evidence.folder(run_id, 1)
    with pytest.raises(NotFoundError):
        await evidence.delete(run_id)


async def test_deleting_takes_all_attempts_and_nothing_else(evidence: FolderEvidence):
    for run_id, attempt in ((RUN, 1), (RUN, 2), (f"{RUN}2", 1)):
        await evidence.append_log(run_id, attempt, [line("x")])
    locked = evidence.folder(RUN, 1) / "checkout" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0)
    await evidence.delete(RUN)
    await evidence.delete(RUN)
    assert [path.name for path in evidence.folder(f"{RUN}2", 1).parents[1].iterdir()] == [f"{RUN}2"]
    await evidence.append_log(RUN, 1, [line("new")])
    assert [one.text for one in await read(evidence)] == ["new"]


async def test_nobody_else_on_the_machine_reads_it(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, [line("x")])
    assert stat.S_IMODE(evidence.folder(RUN, 1).stat().st_mode) == 0o700
    assert stat.S_IMODE(log_path(evidence).stat().st_mode) == 0o600


async def test_a_full_disk_says_what_to_do_and_leaves_the_log_whole(evidence: FolderEvidence, tmp_path: Path):
    program = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        + WRITER.replace("asyncio.run(main())", "")
        + "from conductor.errors import StateError\n"
        "try:\n    asyncio.run(main())\nexcept StateError as error:\n    sys.exit(error.remedy)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "state")]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )
    assert "has space" in ended.stderr
    lines = await read(evidence)
    assert lines == numbered(len(lines))
    assert log_path(evidence).read_bytes().endswith(b"\n")


async def test_damaged_bytes_in_the_middle_hide_no_other_line(evidence: FolderEvidence):
    lines = numbered(2000)
    await evidence.append_log(RUN, 1, lines)
    content = log_path(evidence).read_bytes().splitlines(keepends=True)
    for n in random.Random(1).sample(range(2000), 50):  # noqa: S311 -- which lines does not matter
        content[n] = b"\xff\x00 garbage\n"
    log_path(evidence).write_bytes(b"".join(content))
    kept = [one for one, record in zip(lines, content, strict=True) if b"garbage" not in record]
    assert await read(evidence) == kept
    assert await read(evidence, since=kept[1000].at) == kept[1001:]
