"""`/metrics` of a real server, read by Prometheus' own tools and scraped by a real Prometheus."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conductor.operations.serving import ServerState
from conductor.web.metrics import Metrics
from conductor.web.metrics_reference import reference
from conductor.web.site import Site
from tests.mcp.agents import AGENT, office
from tests.observability.conftest import RULES, Open
from tests.observability.prometheus import Prometheus, tool

PROMISED = {
    "conductor_runs_total", "conductor_run_reasons_total", "conductor_runs_started_total", "conductor_run_seconds_bucket",
    "conductor_step_seconds_bucket", "conductor_secret_sync_seconds_bucket", "conductor_builds_total", "conductor_build_seconds_bucket",
    "conductor_suites_total", "conductor_tests_total", "conductor_queue_entries", "conductor_queue_oldest_seconds", "conductor_stacks",
    "conductor_reserved_cpu_core_seconds_total", "conductor_cost_total", "conductor_run_tests", "conductor_run_peak_cpu_cores",
    "conductor_run_peak_memory_bytes", "conductor_run_info", "conductor_run_duration_seconds", "conductor_run_step_duration_seconds",
}  # fmt: skip


def test_promtool_has_nothing_to_say_of_the_metrics(server: Open, ran: str):
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=server.metrics(), capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_finished_run_is_asked_about_in_promql_for_verdict_counts_and_peaks(
    prometheus: Prometheus, server: Open, ran: str
):
    (info,) = prometheus.query(f'conductor_run_info{{run="{ran}"}}')
    assert (info["metric"]["verdict"], info["metric"]["repository"]) == ("passed", "acme/shop")
    (passed,) = prometheus.query(f'conductor_run_tests{{run="{ran}", result="passed"}}')
    report = server.there("runs", "report", ran, "--json").stdout
    assert f'"passed": {passed["value"][1]}' in report
    (cores,) = prometheus.until(f'conductor:run_peak_cpu_cores:max{{run="{ran}"}} > 0')
    (memory,) = prometheus.until(f'conductor:run_peak_memory_bytes:max{{run="{ran}"}}')
    assert (
        float(memory["value"][1]) == float(cores["value"][1]) * 10 * 32 * 2**20
    )  # as the fake machine plays it


def test_every_metric_that_was_promised_is_there_and_each_fact_is_counted_once(prometheus: Prometheus):
    assert prometheus.names() >= PROMISED - {"conductor_run_reasons_total"}
    (ended,) = prometheus.query('sum(conductor_runs_total{verdict="passed"})')
    assert ended["value"][1] == "1"
    (synced,) = prometheus.query("conductor_secret_sync_seconds_count")
    assert synced["value"][1] == "1"


def test_every_metric_that_a_rule_names_exists(prometheus: Prometheus):
    known = prometheus.names() | {"conductor_run_reasons_total"}
    for file in RULES.glob("conductor.*.yaml"):
        named = set(re.findall(r"\bconductor_[a-z0-9_]+", file.read_text()))
        assert named - known == set(), file.name


def test_the_rules_are_what_their_own_tests_say():
    for file in sorted((RULES / "tests").glob("*.yaml")):
        done = subprocess.run(
            [tool("promtool"), "test", "rules", str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_page_is_what_the_metrics_are():
    page = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
    assert page.read_text() == reference(), (
        "python -m conductor.web.metrics_reference > docs/reference/metrics.md"
    )


def test_the_queries_of_the_how_to_answer_for_a_finished_run(prometheus: Prometheus, ran: str):
    page = (Path(__file__).parents[2] / "docs" / "howto" / "observe.md").read_text()
    (block,) = re.findall(r"```promql\n(.*?)```", page, flags=re.DOTALL)
    answers = [prometheus.until(line.replace("shop-k3v9qd", ran)) for line in block.strip().splitlines()]
    assert answers[0][0]["metric"] == {"verdict": "passed"}
    assert len(answers) == 4


async def test_calls_of_agents_tools_are_counted_by_tool_and_by_whether_they_were_answered(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent:
        run = await desk.a_run()
        await agent.ask("run_digest", run=run.id)
        await agent.refused("run_digest", run="nothing")
        state = ServerState(started_at=desk.server.clock.now())
        told = await Metrics().read(
            Site(service=desk.server.service, state=state, following=desk.site.following)
        )
    assert 'conductor_mcp_calls_total{result="answered",tool="run_digest"} 1.0' in told.decode()
    assert 'conductor_mcp_calls_total{result="refused",tool="run_digest"} 1.0' in told.decode()
