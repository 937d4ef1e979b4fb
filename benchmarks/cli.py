"""How soon the command line answers: `--help`, and `check` of a repository of five services, beside a Python that does nothing.

Each is the median of several processes, taken in turn, so that a busy machine slows all of them alike. Processor time stands beside the
time on the clock: what others do on the machine shows in the second and hardly in the first.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

SHOP = Path(__file__).parents[1] / "examples" / "shop"
CONDUCTOR = Path(sys.executable).with_name("conductor")


@dataclass
class Subject:
    name: str
    command: list[str]
    target_seconds: float | None = None
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run(self.command, stdout=subprocess.DEVNULL, check=True)
        self.clock.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main(rounds: int = 15) -> None:
    nothing = Subject("python -c pass", [sys.executable, "-c", "pass"])
    subjects = [
        nothing,
        Subject("conductor --help", [str(CONDUCTOR), "--help"], 0.2),
        Subject("conductor check", [str(CONDUCTOR), "check", str(SHOP)], 0.5),
    ]
    for number in range(rounds + 1):
        for subject in subjects:
            subject.run()
            if number == 0:  # the first reads files that nobody has read yet
                subject.clock.clear()
                subject.processor.clear()
    print(f"{'':18}   clock   least   processor   times python   target")
    for subject in subjects:
        clock, processor = statistics.median(subject.clock), statistics.median(subject.processor)
        target = f"{subject.target_seconds * 1000:4.0f} ms" if subject.target_seconds else ""
        print(
            f"{subject.name:18} {clock * 1000:4.0f} ms {min(subject.clock) * 1000:4.0f} ms {processor * 1000:8.0f} ms "
            f"{clock / statistics.median(nothing.clock):14.1f}   {target}"
        )


if __name__ == "__main__":
    main()
