"""What dashboards show: fit for Grafana's schema, and every query gives something on a real Prometheus that scrapes a real server."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jsonschema
import pytest

from conductor.adapters.grafana.dashboards import GrafanaDashboards
from conductor.ports.dashboards import Board, Of
from tests.observability.conftest import RULES, Open
from tests.observability.prometheus import Prometheus, scraping
from tests.registries.prism import description


class Kubelet(BaseHTTPRequestHandler):
    """Says of the pods of a run what cAdvisor says, more with each scrape."""

    run = ""
    scrapes = 0

    def do_GET(self) -> None:
        type(self).scrapes += 1
        of = f'namespace="conductor-{self.run}",pod="backend-1"'
        said = (
            f'container_cpu_usage_seconds_total{{{of},container="",image=""}} {self.scrapes * 0.5}\n'
            f'container_memory_working_set_bytes{{{of},container="",image=""}} 1e8\n'
            f'container_start_time_seconds{{{of},container="main"}} {1.7e9 + self.scrapes // 9}\n'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def scraped(server: Open, ran: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    Kubelet.run = ran
    with HTTPServer(("127.0.0.1", 0), Kubelet) as kubelet:
        threading.Thread(target=kubelet.serve_forever, daemon=True).start()
        targets = [("conductor", server.url), ("cadvisor", f"http://127.0.0.1:{kubelet.server_port}")]
        rules = [RULES / "conductor.rules.yaml"]
        with scraping(tmp_path_factory.mktemp("scraped"), targets, rules=rules) as found:
            found.until(f'conductor:run_cpu_cores:sum{{run="{ran}"}} > 0')
            yield found
        kubelet.shutdown()


def boards(run: str) -> list[Board]:
    return [
        Board(Of.FLEET),
        Board(Of.REPOSITORY, "acme/shop"),
        Board(Of.RUN, run),
        Board(Of.ENVIRONMENT, run),
    ]


def drawn(board: Board) -> dict[str, Any]:
    made = GrafanaDashboards(
        "http://nowhere", "x", instance="one", conductor_url="https://conductor.example.org"
    )
    return made.drawn(board)


@pytest.mark.parametrize("of", list(Of))
def test_a_dashboard_is_what_the_schema_of_dashboards_allows(of: Of):
    schema = json.loads(description("grafana-schema/dashboard.jsonschema.json").read_text())
    whole = drawn(Board(of, 'acme/"shop"\\'))
    jsonschema.validate(whole, schema)
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in whole["panels"]]
    assert len(set(places)) == len(places)


def test_every_query_of_every_dashboard_is_answered_and_every_metric_that_it_names_exists(
    scraped: Prometheus, server: Open, ran: str
):
    described = set(re.findall(r"^# HELP (\w+)", server.metrics(), flags=re.MULTILINE))
    recorded = set(re.findall(r"record: (\S+)", (RULES / "conductor.rules.yaml").read_text()))
    known = scraped.names() | described | recorded | {f"{name}_total" for name in described}
    queries = {query for board in boards(ran) for query in expressions(drawn(board))}
    assert len(queries) > 30
    for query in sorted(queries):
        scraped.query(query)  # asserts that it is one
        named = set(re.findall(r"\b(?:conductor|container)[_:][a-z0-9_:]+", re.sub(r'"[^"]*"', "", query)))
        assert named - known == set(), query


def test_the_dashboard_of_a_run_shows_its_verdict_stages_tests_and_usage(scraped: Prometheus, ran: str):
    panels = {one["title"]: one for one in drawn(Board(Of.RUN, ran))["panels"]}
    for title in (
        "Verdict",
        "Duration",
        "Peak CPU",
        "Peak memory",
        "Reserved",
        "Stages",
        "Tests",
        "CPU, in cores",
        "Memory",
        "Restarts",
    ):
        assert scraped.until(panels[title]["targets"][0]["expr"]), title
    (verdict,) = scraped.query(panels["Verdict"]["targets"][0]["expr"])
    assert verdict["metric"]["verdict"] == "passed"
    assert panels["Logs"]["targets"][0]["expr"] == f'{{run="{ran}"}}'


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            if target["datasource"]["type"] == "prometheus":
                yield target["expr"]
    yield from (one["expr"] for one in dashboard["annotations"]["list"])
