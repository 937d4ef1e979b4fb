"""Runs on a real cluster whose API server is lost for a while: they reach their verdict, nothing is done twice, no line is lost.

What is lost is the way there: it is cut (connections end, new ones are refused), or silent (nothing comes, nothing is refused).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from conductor.adapters.kubernetes.seeing.watching import SILENCE
from tests.kubernetes.clusters import KUBECONFIG
from tests.kubernetes.installed import Installed, installed
from tests.live.kubernetes_runs import GIT, Cluster, Ended, repository
from tests.live.shop import conductor
from tests.live.test_kubernetes_manifests import Server

__all__ = ["installed"]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
LOCAL = "127.0.0.1"
LIMIT_SECONDS = 400
PATIENCE = 10
FORWARD = """
import asyncio, sys
host, port, to, to_port = sys.argv[1:]
async def pour(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
async def serve(reader, writer):
    there, back = await asyncio.open_connection(to, int(to_port))
    await asyncio.gather(pour(reader, back), pour(there, writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(serve, host, int(port))
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Way:
    """A way to an API server, by a port of this machine, as a process that can be killed and stopped."""

    def __init__(self, host: str, port: int) -> None:
        self._goal = (host, str(port))
        self._port = "0"
        self._process = self._start()

    @property
    def address(self) -> str:
        return f"https://{LOCAL}:{self._port}"

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._process.kill()
        self._process.wait(timeout=PATIENCE)

    def silence(self) -> None:
        """Let nothing through, and refuse nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        """Let all through again."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", FORWARD, LOCAL, self._port, *self._goal]
        made = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert made.stdout is not None
        self._port = made.stdout.readline().strip()
        made.stdout.close()
        return made


@pytest.fixture
def way(installed: Installed) -> Iterator[Way]:
    address = urlsplit(_cluster(yaml.safe_load(Path(installed.kubeconfig).read_text()))["server"])
    made = Way(str(address.hostname), address.port or 443)
    yield made
    made.cut()


def _cluster(kubeconfig: Mapping[str, Any]) -> dict[str, Any]:
    (only,) = kubeconfig["clusters"]
    found: dict[str, Any] = only["cluster"]
    return found


@pytest.fixture
def cluster(installed: Installed, way: Way, tmp_path: Path) -> Iterator[Cluster]:
    """The command line under the shipped account, over a way that can be lost; what its administrator sees is not."""
    seen = yaml.safe_load(Path(installed.kubeconfig).read_text())
    there = _cluster(seen)
    there["server"] = way.address
    led = tmp_path / "kubeconfig"
    led.touch(mode=0o600)
    led.write_text(yaml.safe_dump(seen))
    server = Server(Path(KUBECONFIG), tmp_path)
    settings = replace(installed, kubeconfig=str(led)).settings
    made = Cluster(tmp_path / "state", server, settings, installed.name)
    try:
        yield made
    finally:
        way.mend()
        made("stacks", "delete", "--all")
        server.close()


def ticking_repository(folder: Path, seconds: int) -> str:
    """Make a repository with one-shot services, whose tests say a line each second."""
    made = repository("one-shot", folder)
    file = made / ".conductor.yaml"
    content = yaml.safe_load(file.read_text())
    ticks = f"for i in $(seq {seconds}); do echo tick $i; sleep 1; done\n"
    content["tests"]["command"] = ticks + content["tests"]["command"]
    file.write_text(yaml.safe_dump(content))
    subprocess.run([*GIT, "commit", "--all", "--quiet", "-m", "Ticks"], cwd=made, check=True, timeout=30)
    return str(made)


def run_and_lose(
    cluster: Cluster,
    folder: str,
    *,
    at: str,
    lose: Callable[[], None],
    mend: Callable[[], None],
    after: float,
) -> Ended:
    """Run, and lose the way for `after` seconds from a second after the start of a step on."""
    command = [*conductor(), "run", folder, "--json", "--no-cleanup"]
    timers = [threading.Timer(1, lose), threading.Timer(1 + after, mend)]
    events: list[Mapping[str, Any]] = []
    with subprocess.Popen(
        command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        limit = threading.Timer(LIMIT_SECONDS, process.kill)
        limit.start()
        assert process.stdout is not None
        for event in map(json.loads, process.stdout):
            events.append(event)
            if (event["kind"], event.get("subject")) == ("step.started", at) and timers[0].ident is None:
                for timer in timers:
                    timer.start()
    limit.cancel()
    for timer in timers:
        timer.join()
    assert events[-1]["kind"] == "outcome", events[-1]
    return Ended(exit_code=process.returncode, events=events[:-1], outcome=events[-1])


def is_whole(cluster: Cluster, ended: Ended, ticks: int) -> None:
    """Check that the run passed in its first attempt, that each pod was made once, and that its log is whole."""
    assert ended.outcome["verdict"] == "passed", ended.outcome
    assert ended.outcome["partial"] == []
    assert sum(event["kind"] == "run.started" for event in ended.events) == 1
    pods = cluster.pods(ended.namespace)
    assert Counter(pods.values()) == Counter(("redis", "migrate", "seed", "app", "tests"))
    assert cluster.pods_that_were(ended.namespace) <= pods.keys()
    log = cluster("runs", "logs", ended.run).stdout
    told = [line.split("tick ")[1].strip() for line in log.splitlines() if "tick " in line]
    assert told == [str(number) for number in range(1, ticks + 1)]


@pytest.mark.parametrize(("at", "seconds"), [("raise-stack", 10), ("await-tests", 25)])
def test_a_run_bears_the_loss_of_the_api_server(
    cluster: Cluster, way: Way, tmp_path: Path, at: str, seconds: int
) -> None:
    folder = ticking_repository(tmp_path, 15)
    ended = run_and_lose(cluster, folder, at=at, lose=way.cut, mend=way.mend, after=seconds)
    is_whole(cluster, ended, 15)


def test_a_server_that_is_silent_for_longer_than_a_living_one_is_noticed(
    cluster: Cluster, way: Way, tmp_path: Path
) -> None:
    silence = SILENCE.total_seconds() + 10
    folder = ticking_repository(tmp_path, 20)
    ended = run_and_lose(cluster, folder, at="await-tests", lose=way.silence, mend=way.mend, after=silence)
    is_whole(cluster, ended, 20)


def test_a_loss_that_lasts_is_the_platforms_fault_and_the_run_is_tried_once_more(
    cluster: Cluster, way: Way, tmp_path: Path
) -> None:
    folder = ticking_repository(tmp_path, 5)
    ended = run_and_lose(cluster, folder, at="await-tests", lose=way.cut, mend=way.mend, after=75)
    assert ended.outcome["verdict"] == "passed", ended.outcome
    assert sum(event["kind"] == "run.started" for event in ended.events) == 2
