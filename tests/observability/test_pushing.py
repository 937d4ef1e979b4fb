"""A run without a server pushes its figures; a Pushgateway that is away changes no verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.observability.prometheus import scraping, started, tool
from tests.registries.serving import free_port

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def run_the_shop(folder: Path, gateway: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")}
    own = {
        "CONDUCTOR_STATE": str(folder / "state"),
        "CONDUCTOR_ENGINE": "fake",
        "CONDUCTOR_PUSHGATEWAY": gateway,
    }
    command = [sys.executable, "-m", "conductor.cli.main", "run", str(SHOP), "--json"]
    return subprocess.run(
        command, env=kept | own | more, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_pushed_run_is_scraped_from_the_gateway_long_after_its_process_is_gone(tmp_path: Path):
    gateway = f"http://127.0.0.1:{free_port()}"
    command = [tool("prometheus-pushgateway"), f"--web.listen-address={gateway.removeprefix('http://')}"]
    with started(command, f"{gateway}/-/ready", tmp_path / "gateway.log"):
        assert run_the_shop(tmp_path, gateway).returncode == 0
        with scraping(tmp_path, [("pushgateway", gateway)]) as prometheus:
            (found,) = prometheus.until('conductor_run_info{job="conductor"}')
            assert found["metric"]["verdict"] == "passed"
            (memory,) = prometheus.query("conductor_run_peak_memory_bytes")
            assert float(memory["value"][1]) > 0


def test_a_gateway_that_is_away_is_warned_of_and_the_verdict_stands(tmp_path: Path):
    done = run_the_shop(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 0
    assert "pushing figures to" in done.stderr
