"""Kill -9 of a run: as soon as it has told the end of a step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LIMIT_SECONDS = 240


@dataclass(frozen=True)
class Cut:
    """What a killed process had told before it died."""

    run: str
    steps: Sequence[tuple[str, str]]


def kill_after(command: Sequence[str], environment: Mapping[str, str], number: int) -> Cut:
    """Start the command and kill it as soon as it tells the end of step `number` (counted from 1)."""
    ended: list[tuple[str, str]] = []
    run = ""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for event in map(json.loads, process.stdout):
        run = event.get("run", run)
        if event.get("kind") == "step.ended":
            ended.append((event["subject"], event["data"].get("subject", "")))
            if len(ended) == number:
                os.kill(process.pid, signal.SIGKILL)
                break
    process.stdout.close()
    process.wait(timeout=LIMIT_SECONDS)
    return Cut(run=run, steps=ended)
