"""A real server and a Grafana: the dashboard comes by itself, is linked to, and a Grafana that is down is no news to a run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from tests.grafana.fake import TOKEN, FakeGrafana
from tests.observability.prometheus import until
from tests.registries.serving import serving
from tests.surfaces.test_remote_cli import Server, served

AGAIN = ("run", "acme/shop", "--ref", "v1", "--no-cleanup", "--json")


async def test_a_server_makes_dashboards_links_to_them_and_needs_none(tmp_path: Path):
    grafana = FakeGrafana()
    async with serving(grafana.app()) as url:

        @dataclass
        class Watched(Server):
            def environment(self) -> dict[str, str]:
                return super().environment() | {
                    "CONDUCTOR_GRAFANA_URL": url,
                    "CONDUCTOR_GRAFANA_TOKEN": TOKEN,
                }

        processes = served(tmp_path, kind=Watched)
        server = await asyncio.to_thread(next, processes)
        try:
            ended = await asyncio.to_thread(server.there, *AGAIN)
            run = str(json.loads(ended.stdout.splitlines()[0])["run"])
            made = await asyncio.to_thread(until, lambda: _find(grafana, f"Run {run}"), "the dashboard")
            report = await asyncio.to_thread(server.there, "runs", "report", run, "--json")
            links = json.loads(report.stdout)["links"]
            assert links["dashboard"] == f"{url}/d/{made}"
            assert links["search logs"].startswith(f"{url}/explore?")
            grafana.down = True
            again = await asyncio.to_thread(server.there, "runs", "rerun", run, "--json")
            assert again.returncode == 0, again.stderr
            assert TOKEN not in (tmp_path / "log").read_text()
        finally:
            await asyncio.to_thread(processes.close)  # type: ignore[attr-defined] -- a generator's


def _find(grafana: FakeGrafana, title: str) -> str:
    return next((uid for uid, one in grafana.dashboards.items() if one["title"] == title), "")
