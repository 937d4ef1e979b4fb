"""Many runs on Kubernetes: Conductor against the fake API server, whose node plays its containers. Each is a process of its own.

A run is a whole one: asked for as `conductor run` asks, its durable workflow, its records in SQLite, its repository cloned by git; on the
cluster a namespace with its bounds, a service, a suite with its collector, logs, evidence and report, and the namespace's end. Three are
begun each second for 180 s, then 500 at once. The wait that counts is from the acceptance of a run (it has its name and is on record) to
the creation of its first pod, as the server saw it. The server has one processor to itself if there are two; its own time stands beside,
since a slow server shows as a slow Conductor. `--short` holds the rate for 20 s.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RATE = 3
SHORT_SECONDS, LONG_SECONDS = 20, 180
CROWD = 500
REPOSITORIES = 10
TARGET_SECONDS = 1.0
PATIENCE_SECONDS = 900
WRITES = ("create", "patch", "update", "delete", "deletecollection")
GIT = ("git", "-c", "user.name=Example", "-c", "user.email=example@example.org", "-c", "commit.gpgsign=false")
COMPOSE = """\
services:
  web:
    image: app:1
    restart: unless-stopped
    command: ["sh", "-c", "echo up; sleep infinity"]
"""
PLAN = """\
version: 1
tests:
  image: app:1
  command: echo done
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one play of many runs gave: Conductor's own figures, the server's, and its seconds of processor."""

    title: str
    runs: Mapping[str, Any]
    server: Mapping[str, Any]
    server_processor: float
    load: float


def main() -> None:
    """Print the table."""
    seconds = SHORT_SECONDS if "--short" in sys.argv else LONG_SECONDS
    tell(measure(f"{RATE} a second for {seconds} s", (RATE, seconds, 0)))
    tell(measure(f"{CROWD} at once", (0, 0, CROWD)))
    print(f"target: p99 from accepted to first pod under {TARGET_SECONDS:.0f} s at {RATE} a second")


def measure(title: str, plan: tuple[float, float, int]) -> Measured:
    """Let a Conductor play on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        make_repositories(folder / "repositories")
        load = os.getloadavg()[0]
        server = subprocess.Popen([*_on_one_processor(), "tests.kubernetes.fake_api", name], cwd=ROOT)
        try:
            _wait_for(folder / "kubeconfig", server)
            words = [str(word) for word in (name, *plan)]
            subprocess.run(
                [sys.executable, "-m", "benchmarks.kubernetes_process", *words],
                cwd=ROOT,
                env=_environment(folder),
                check=True,
                timeout=PATIENCE_SECONDS,
            )
        finally:
            server.send_signal(signal.SIGTERM)
            _, _, used = os.wait4(server.pid, 0)
        runs, asked = (json.loads((folder / file).read_text()) for file in ("runs.json", "figures.json"))
    return Measured(
        title=title, runs=runs, server=asked, server_processor=used.ru_utime + used.ru_stime, load=load
    )


def tell(found: Measured) -> None:
    """Print the figures of one play."""
    runs, made = found.runs["runs"], found.server["first_pods"]
    count, seconds = len(runs), found.runs["seconds"]
    to_pod = [made[run["namespace"]] - run["accepted"] for run in runs if run["namespace"] in made]
    asked = Counter[str]()
    for words, times in found.server["asked"].items():
        asked[words.partition(" ")[0]] += times
    writes = sum(asked[verb] for verb in WRITES)
    whole = [run["ended"] - run["accepted"] for run in runs if run["accepted"]]
    accepted = [run["accepted"] - run["asked"] for run in runs if run["accepted"]]
    all_asked = asked.total() / (count + 1)
    lines = {
        "runs, and passed": f"{count}, {sum(run['verdict'] == 'passed' for run in runs)}",
        "all of them took": f"{seconds:.1f} s ({count / seconds:.1f} a second)",
        "asked to accepted, p50 / p99": _shares(accepted),
        "accepted to first pod, p50 / p99": _shares(to_pod),
        "accepted to verdict, p50 / p99": _shares(whole),
        "requests to the API server": f"{all_asked:.1f} a run, of them writes {writes / (count + 1):.1f}",
        "watches": f"{asked['watch']} in all",
        "processor, Conductor": f"{found.runs['processor'] / count * 1000:.0f} ms a run ({found.runs['processor'] / seconds:.0%} of one)",
        "processor, its git": f"{found.runs['git'] / count * 1000:.0f} ms a run ({found.runs['git'] / seconds:.0%} of one)",
        "processor, API server": f"{found.server_processor / count * 1000:.0f} ms a run ({found.server_processor / seconds:.0%} of one)",
        "memory, Conductor": f"{found.runs['memory_mib']:.0f} MiB",
        "load average before": f"{found.load:.1f}",
    }
    print(f"{found.title}")
    for name, text in lines.items():
        print(f"  {name:34}{text}", flush=True)
    for problem, number in Counter(run["problem"] for run in runs if run["problem"]).most_common(5):
        print(f"  {number} of them: {problem}")
    print()


def make_repositories(folder: Path) -> None:
    """Make small git repositories with a stack and a suite."""
    for number in range(REPOSITORIES):
        made = folder / f"load-{number}"
        made.mkdir(parents=True)
        (made / "docker-compose.qa.yml").write_text(COMPOSE)
        (made / ".conductor.yaml").write_text(PLAN)
        for command in (
            ("init", "--quiet", "--initial-branch=main"),
            ("add", "--all"),
            ("commit", "--quiet", "--message", "Load"),
        ):
            subprocess.run([*GIT, *command], cwd=made, check=True, timeout=30)


def _shares(waits: Sequence[float]) -> str:
    if len(waits) < 2:
        return "none"
    shares = statistics.quantiles(waits, n=100)
    return f"{shares[49]:.2f} s / {shares[98]:.2f} s"


def _on_one_processor() -> list[str]:
    """Run a module of Python on one processor only, the last of those there are."""
    last = max(os.sched_getaffinity(0))
    pin = f"import os, runpy, sys; os.sched_setaffinity(0, {{{last}}}); "
    run = "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", pin + run]


def _environment(folder: Path) -> dict[str, str]:
    own = {
        "CONDUCTOR_STATE": str(folder / "state"),
        "CONDUCTOR_ENGINE": "kubernetes",
        "CONDUCTOR_KUBECONFIG": str(folder / "kubeconfig"),
        "CONDUCTOR_INSTANCE": "load",
        "CONDUCTOR_MAX_STACKS": str(2 * CROWD),
        "CONDUCTOR_TOOLS_IMAGE": "tools:1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")}
    return {**kept, **own}


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while not file.exists():
        if time.monotonic() > until or process.poll() is not None:
            sys.exit("the fake API server did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
