"""A real server on the fake engine that has run the shop, and a real Prometheus that scrapes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.observability.prometheus import Prometheus, scraping
from tests.surfaces.test_remote_cli import Server, served

RULES = Path(__file__).parents[2] / "deploy" / "observability" / "prometheus"


@dataclass
class Open(Server):
    """One whose figures anybody may read."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"CONDUCTOR_METRICS_OPEN": "true", "CONDUCTOR_PRICE_CPU_HOUR": "0.04"}

    def metrics(self) -> str:
        return httpx2.get(f"{self.url}/metrics", timeout=60).text

    def run(self) -> str:
        """Have the shop run to its end; return the run's name."""
        ended = self.there("run", "acme/shop", "--ref", "v1", "--no-cleanup", "--json")
        return str(json.loads(ended.stdout.splitlines()[0])["run"])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    yield from served(tmp_path_factory.mktemp("server"), kind=Open)


@pytest.fixture(scope="session")
def ran(server: Open) -> str:
    return server.run()


@pytest.fixture(scope="session")
def prometheus(server: Open, ran: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    rules = (RULES / "conductor.rules.yaml", RULES / "conductor.alerts.yaml")
    with scraping(tmp_path_factory.mktemp("prometheus"), [("conductor", server.url)], rules=rules) as found:
        found.until(f'conductor_run_info{{run="{ran}", status="ended"}}')
        yield found
