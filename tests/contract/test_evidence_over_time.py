"""Evidence of what is over: compressed without a difference to any reader, and removed with a word left behind."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.adapters.evidence import FolderEvidence
from conductor.domain.report import LogLine

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = "shop-k3v9qd"
COUNT = 5000


@pytest.fixture
def evidence(tmp_path: Path) -> FolderEvidence:
    return FolderEvidence(tmp_path / "state")


def lines(count: int = COUNT, start: int = 0, workload: str = "web") -> list[LogLine]:
    return [
        LogLine(workload=workload, at=NOON + timedelta(milliseconds=n), text=f"line {n}")
        for n in range(start, start + count)
    ]


def logs(evidence: FolderEvidence) -> list[str]:
    return sorted(path.name for path in (evidence.folder(RUN, 1) / "logs").iterdir())


async def texts(read: AsyncIterator[LogLine]) -> list[str]:
    return [line.text async for line in read]


async def test_a_packed_log_reads_as_before_whole_from_a_time_and_from_its_end(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines())
    ways = ({}, {"since": NOON + timedelta(seconds=4)}, {"tail": 7}, {"workload": "web", "tail": 1})
    before = [await texts(evidence.read_log(RUN, 1, **way)) for way in ways]
    assert await evidence.pack(RUN, 1) == 1
    assert logs(evidence) == ["web.log.gz"]
    for reader in (evidence, FolderEvidence(evidence.folder(RUN, 1).parents[2])):
        assert [await texts(reader.read_log(RUN, 1, **way)) for way in ways] == before
        assert await reader.workloads(RUN, 1) == ["web"]
        assert await reader.last_logged(RUN, 1, "web") == lines()[-1].at


async def test_packing_makes_it_smaller_and_again_does_nothing(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines())
    whole = await evidence.size(RUN, 1)
    await evidence.pack(RUN, 1)
    assert await evidence.size(RUN, 1) < whole / 5
    assert await evidence.pack(RUN, 1) == 0


async def test_who_writes_on_after_all_loses_nothing_and_doubles_nothing(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines(10))
    await evidence.pack(RUN, 1)
    late = FolderEvidence(evidence.folder(RUN, 1).parents[2])
    await late.append_log(RUN, 1, [*lines(4, start=5), *lines(5, start=10)])
    assert await texts(late.read_log(RUN, 1)) == [f"line {n}" for n in range(15)]
    assert logs(evidence) == ["web.log"]


async def test_a_packing_that_was_cut_off_leaves_the_plain_log_to_count(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines(3))
    (evidence.folder(RUN, 1) / "logs" / "web.log.gz").write_bytes(gzip.compress(b"half")[:-4])
    (evidence.folder(RUN, 1) / "logs" / ".packing-0123").write_bytes(b"half")
    assert await texts(evidence.read_log(RUN, 1)) == ["line 0", "line 1", "line 2"]
    assert await evidence.workloads(RUN, 1) == ["web"]
    assert await evidence.pack(RUN, 1) == 1
    assert await texts(evidence.read_log(RUN, 1)) == ["line 0", "line 1", "line 2"]


async def test_shedding_removes_logs_and_artifacts_and_leaves_reports_and_a_date(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines(10))
    await evidence.save(RUN, 1, "artifacts/tests/a.png", b"x" * 1000)
    await evidence.save(RUN, 1, "report.md", b"# passed")
    freed = await evidence.shed(RUN, 1, at=NOON)
    assert freed > 1000
    assert await evidence.shed_at(RUN, 1) == NOON
    assert (await evidence.workloads(RUN, 1), await evidence.files(RUN, 1)) == ([], ["report.md"])
    assert (await evidence.attempts(), await evidence.size(RUN, 1)) == ([], 0)


async def test_shedding_again_frees_nothing_and_keeps_the_first_date(evidence: FolderEvidence):
    await evidence.append_log(RUN, 1, lines(10))
    await evidence.shed(RUN, 1, at=NOON)
    assert await evidence.shed(RUN, 1, at=NOON + timedelta(days=1)) == 0
    assert await evidence.shed_at(RUN, 1) == NOON


async def test_attempts_are_those_with_logs_or_artifacts(evidence: FolderEvidence):
    assert await evidence.attempts() == []
    await evidence.append_log(RUN, 2, lines(1))
    await evidence.save("shop-other", 1, "artifacts/a", b"a")
    await evidence.save("shop-third", 1, "report.md", b"r")
    assert await evidence.attempts() == [(RUN, 2), ("shop-other", 1)]
    assert await evidence.shed_at(RUN, 2) is None
