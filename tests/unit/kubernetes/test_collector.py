"""`deploy/tools/collect`, for real, and the reading of what it writes."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.unit.kubernetes.tools import PATIENCE, Pod

from conductor.adapters.kubernetes.streams.archives import repack
from conductor.adapters.kubernetes.streams.transcript import Transcript, transcript
from conductor.ports.engine import PARTIAL_ENTRY


class Collector:
    """The collector of one pod, as a process of this machine."""

    def __init__(self, pod: Pod, *, log_limit: int = 100_000, hold: int = 0) -> None:
        self.message = pod.scratch.parent / "message"
        self.process = subprocess.Popen(
            [f"{pod.tools}/busybox", "sh", f"{pod.tools}/collect", "wait", str(pod.results), str(pod.scratch),
             str(log_limit), str(hold), str(self.message)],
            stdout=subprocess.PIPE, env={"PATH": "/nowhere"},
        )  # fmt: skip

    def ended(self) -> Transcript:
        """End it as a kubelet does, and read its log."""
        self._until_it_waits()
        self.process.terminate()
        log, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0
        return transcript(log.decode())

    def _until_it_waits(self) -> None:
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for _ in range(10**6):
            if status.read_text():
                return
            os.sched_yield()
        raise AssertionError("the collector does not wait")


def files(archive: bytes | None, *left: str, limit: int = 10**6) -> dict[str, str]:
    """Read an archive as the engine hands it on."""
    assert archive is not None
    made = io.BytesIO()
    repack(io.BytesIO(archive), made, left=left, limit_bytes=limit)
    made.seek(0)
    with tarfile.open(fileobj=made) as found:
        return {member.name: found.extractfile(member).read().decode() for member in found if member.isfile()}


def test_what_the_tests_left_comes_whole_through_the_log_and_the_message(pod: Pod):
    pod.shell(
        "mkdir reports; echo 1 >reports/a.xml; echo 2 >'b c.txt'", reports=("reports/",), artifacts=("*.txt",)
    )
    collector = Collector(pod)
    heard = collector.ended()
    assert files(heard.archive) == {"reports/a.xml": "1\n", "b c.txt": "2\n"}
    assert (heard.left, heard.rest, heard.held) == ([], [], None)
    assert transcript(collector.message.read_text()).archive == heard.archive


def test_reports_alone_go_into_the_message_where_not_all_has_room(pod: Pod):
    pod.shell("echo 1 >a.xml; head -c 9000 /dev/urandom >big.bin", reports=("*.xml",), artifacts=("*.bin",))
    collector = Collector(pod)
    collector.ended()
    message = transcript(collector.message.read_text())
    assert files(message.archive) == {"a.xml": "1\n"}
    assert message.rest


def test_what_is_too_large_for_the_log_is_held_and_reports_come_through_all_the_same(pod: Pod):
    pod.shell("echo 1 >a.xml; head -c 90000 /dev/urandom >big.bin", reports=("*.xml",), artifacts=("*.bin",))
    heard = Collector(pod, log_limit=20_000).ended()
    assert files(heard.archive) == {"a.xml": "1\n"}
    assert heard.rest == ["big.bin: 90000 bytes did not fit the log, and nobody fetched it in time"]
    assert heard.held is not None
    assert heard.held.is_of((pod.scratch / "whole").read_bytes())


def test_a_collector_that_holds_something_ends_when_it_was_taken(pod: Pod):
    pod.shell("head -c 90000 /dev/urandom >big.bin", artifacts=("*.bin",))
    (pod.scratch / "taken").touch()
    assert Collector(pod, log_limit=20_000, hold=3600).ended().held


def test_what_was_left_out_and_a_last_look_that_was_not_taken_are_said(pod: Pod):
    pod.shell("echo 1 >a.xml; head -c 2000 /dev/zero >big.bin", reports=("*.xml", "*.bin"), limit=1000)
    (pod.results / "ended").unlink()
    heard = Collector(pod).ended()
    assert heard.left[0] == "big.bin: 2000 bytes would be over the limit of 1000"
    assert "ended from outside" in heard.left[1]


def test_tests_that_never_started_left_nothing_and_nothing_is_missing(pod: Pod):
    heard = Collector(pod).ended()
    assert (heard.never_started, heard.is_over, heard.left) == (True, True, [])


def test_tests_that_wrote_nothing_leave_an_empty_archive(pod: Pod):
    pod.shell("true", reports=("*.xml",))
    heard = Collector(pod).ended()
    assert (files(heard.archive), heard.left) == ({}, [])


def test_the_tools_are_laid_out_for_others_to_run(pod: Pod):
    (pod.tools / "tini").touch()
    subprocess.run(
        [f"{pod.tools}/busybox", "sh", f"{pod.tools}/collect", "install", str(pod.scratch)],
        check=True,
        timeout=PATIENCE,
    )
    assert {file.name: file.stat().st_mode & 0o777 for file in pod.scratch.iterdir()} == dict.fromkeys(
        ("busybox", "tini", "run"), 0o555
    )


@pytest.mark.parametrize("damage", ["cut", "changed", "unended"])
def test_an_archive_that_came_through_damaged_is_none(pod: Pod, damage: str):
    pod.shell("head -c 9000 /dev/urandom >big.bin", artifacts=("*.bin",))
    text = subprocess.run(
        [f"{pod.tools}/busybox", "base64", "-w", "4000", f"{pod.work}/big.bin"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    whole = f"BEGIN\n{text}END 9000 {'0' * 64}\n"
    damaged = {
        "cut": whole.replace(text[:4001], ""),
        "changed": whole,
        "unended": whole.partition("END")[0],
    }
    found = transcript(damaged[damage])
    assert found.archive is None
    assert found.is_over is (damage != "unended")


def test_names_that_lead_out_are_left_out_and_so_is_what_is_no_file():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as hostile:
        for name, kind in (
            ("../out.xml", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("a/../../b", tarfile.REGTYPE), ("dev", tarfile.CHRTYPE),
            ("pipe", tarfile.FIFOTYPE), (PARTIAL_ENTRY, tarfile.REGTYPE), ("ok.xml", tarfile.REGTYPE),
        ):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.type = kind
            hostile.addfile(entry)
    assert files(buffer.getvalue()) == {"etc/x": "", "ok.xml": ""}


def test_what_unpacks_to_more_than_the_limit_is_left_out():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as large:
        for name, size in (("bomb", 5_000_000), ("small.xml", 10)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            large.addfile(entry, io.BytesIO(bytes(size)))
    found = files(buffer.getvalue(), "said before", limit=1000)
    assert found.keys() == {"small.xml", PARTIAL_ENTRY}
    assert found[PARTIAL_ENTRY].splitlines() == [
        "said before",
        "bomb: 5000000 bytes would be over the limit of 1000",
    ]


def test_what_is_no_archive_is_told_and_never_raised():
    assert "damaged" in files(b"nonsense")[PARTIAL_ENTRY]
