"""A run that is killed again and again while containers write: every line is on record, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.live.shop import conductor

pytestmark = [pytest.mark.engine, pytest.mark.crash, pytest.mark.timeout(300)]

LIMIT_SECONDS = 120
LINES = 600
KILLS = 3
COUNTING = (
    f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; [ $((i % 5)) -eq 0 ] && usleep 50000; done"
)


def repository(folder: Path, image: str) -> Path:
    folder.mkdir()
    compose = {
        "services": {
            "teller": {
                "image": image,
                "command": ["sh", "-c", f"{COUNTING.replace('$', '$$')}; sleep 600"],
                "init": False,
            }
        }
    }
    (folder / "docker-compose.qa.yml").write_text(json.dumps(compose))
    plan = {
        "version": 1,
        "tests": {"image": image, "command": COUNTING, "timeout": "2m"},
        "cleanup": "always",
    }
    (folder / ".conductor.yaml").write_text(json.dumps(plan))
    return folder


def kill_while_tests_write(command: list[str], environment: dict[str, str], *, after_lines: int) -> None:
    """Start it, and kill it once so many lines of the tests were shown."""
    seen = 0
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        seen += "tests" in line and "line " in line
        if seen >= after_lines:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(timeout=LIMIT_SECONDS)
    assert seen >= after_lines, "it ended before it could be killed"


def test_every_line_is_on_record_once_although_the_process_was_killed_while_they_were_written(
    tmp_path: Path, busybox: str
) -> None:
    environment = {**os.environ, "CONDUCTOR_STATE": str(tmp_path / "state"), "COLUMNS": "200"}
    folder = repository(tmp_path / "counter", busybox)
    command = [*conductor(), "run", str(folder)]
    for _ in range(KILLS):
        kill_while_tests_write(command, environment, after_lines=20)
    last = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    assert last.returncode == 0, last.stdout[-2000:] + last.stderr[-2000:]
    listed = subprocess.run(
        [*conductor(), "runs", "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(json.loads(listed.stdout)) == 1, "the same command again is the same run"
    for workload in ("tests", "teller"):
        log = subprocess.run(
            [*conductor(), "runs", "logs", _only(listed.stdout), workload],
            env=environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        numbers = [int(line.rsplit("line ", 1)[1]) for line in log.stdout.splitlines() if "line " in line]
        assert numbers == list(range(1, LINES + 1)), workload


def _only(listed: str) -> str:
    (row,) = json.loads(listed)
    return str(row["id"])
