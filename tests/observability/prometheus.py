"""A real Prometheus (Debian's), asked by its API; tests skip where there is none, and say so."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx2
import pytest

from tests.registries.serving import free_port

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Prometheus:
    """One that is up."""

    url: str

    def query(self, text: str) -> list[dict[str, Any]]:
        """Ask; raises where the query is none."""
        answer = httpx2.get(f"{self.url}/api/v1/query", params={"query": text}, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"]["result"])

    def until(self, text: str) -> list[dict[str, Any]]:
        """Ask until there is an answer."""
        return until(lambda: self.query(text), text)

    def names(self) -> set[str]:
        """Return the names of all metrics that it has."""
        answer = httpx2.get(f"{self.url}/api/v1/label/__name__/values", timeout=PATIENCE_SECONDS)
        return set(answer.json()["data"])


def tool(name: str) -> str:
    """Return where a tool is; skip the test where it is not."""
    if (found := shutil.which(name)) is None:
        pytest.skip(f"no {name} on this machine: apt-get install prometheus prometheus-pushgateway")
    return found


def until(look: Callable[[], T], what: str) -> T:
    """Look until there is something."""
    end = monotonic() + PATIENCE_SECONDS
    while monotonic() < end:
        if found := look():
            return found
        sleep(BETWEEN_LOOKS)
    raise AssertionError(f"it never came about: {what}")


@contextmanager
def scraping(
    folder: Path, targets: Sequence[tuple[str, str]], *, rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """Run one that scrapes these (job, URL) each second."""
    jobs = [
        {
            "job_name": job,
            "honor_labels": True,
            "static_configs": [{"targets": [url.removeprefix("http://")]}],
        }
        for job, url in targets
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = folder / "prometheus.json"
    config.write_text(
        json.dumps({"global": every, "rule_files": [str(one) for one in rules], "scrape_configs": jobs})
    )
    url = f"http://127.0.0.1:{free_port()}"
    command = [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
               f"--web.listen-address={url.removeprefix('http://')}"]  # fmt: skip
    with started(command, f"{url}/-/ready", folder / "prometheus.log"):
        yield Prometheus(url)


@contextmanager
def started(command: Sequence[str], ready: str, log: Path) -> Iterator[None]:
    """Run a server until the block ends; it begins once the address answers."""
    with log.open("w") as writing:
        process = subprocess.Popen(command, stdout=writing, stderr=writing)
    try:
        until(lambda: process.poll() is not None or answers(ready), ready)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


def answers(url: str) -> bool:
    """Tell whether an address answers well."""
    try:
        return httpx2.get(url, timeout=PATIENCE_SECONDS).status_code == 200
    except httpx2.TransportError:
        return False
