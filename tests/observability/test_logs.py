"""Logs on their way to Loki: whole, labelled, in order, bounded and in nobody's way. Collectors' configurations say the same labels."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from conductor.adapters.loki.pushing import MOST_WAITING, PAUSES, LokiPush
from conductor.domain.report import LogLine
from tests.observability.loki import FakeLoki
from tests.observability.prometheus import started
from tests.observability.test_pushing import run_the_shop
from tests.registries.serving import free_port, serving

DEPLOY = Path(__file__).parents[2] / "deploy" / "observability"
LABELS = {"repository": "acme/shop", "run": "shop-k3v9qd", "environment": "qa"}
NOON = datetime.now(UTC).replace(microsecond=123_456)
SINGLE = """
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: PORT, grpc_listen_address: 127.0.0.1, grpc_listen_port: GRPC}
common:
  instance_addr: 127.0.0.1
  path_prefix: FOLDER
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: FOLDER/chunks, rules_directory: FOLDER/rules}}
schema_config:
  configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
analytics: {reporting_enabled: false}
"""


def lines(count: int, *, workload: str = "backend") -> list[LogLine]:
    return [
        LogLine(workload=workload, at=NOON + timedelta(milliseconds=number), text=f'{workload} "{number}" é')
        for number in range(count)
    ]


async def described(run: str, attempt: int) -> dict[str, str]:
    del attempt
    return {**LABELS, "run": run}


async def at_once(_: float) -> None:
    """Let no time pass."""


@pytest.fixture
def loki() -> FakeLoki:
    return FakeLoki()


@pytest.fixture
async def url(loki: FakeLoki) -> AsyncIterator[str]:
    async with serving(loki.app()) as found:
        yield found


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    """A real Loki, where CONDUCTOR_TEST_LOKI or the path has one."""
    binary = os.environ.get("CONDUCTOR_TEST_LOKI") or shutil.which("loki")
    if not binary:
        pytest.skip("no loki on this machine: name one by CONDUCTOR_TEST_LOKI")
    port = free_port()
    config = tmp_path / "loki.yaml"
    told = (
        SINGLE.replace("PORT", str(port), 1)
        .replace("GRPC", str(free_port()))
        .replace("FOLDER", str(tmp_path / "loki"))
    )
    config.write_text(told)
    address = f"http://127.0.0.1:{port}"
    with started([binary, f"-config.file={config}"], f"{address}/ready", tmp_path / "loki.log"):
        yield address


async def pushed_and_asked(url: str) -> list[dict[str, Any]]:
    pushing = LokiPush(url, describe=described)
    pushing.start()
    pushing.heard("shop-k3v9qd", 1, [*lines(3000), *lines(2, workload="redis")])
    await pushing.aclose()
    assert pushing.dropped == 0
    asked = {"query": '{run="shop-k3v9qd",service="backend"}', "limit": "5000", "direction": "forward"}
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{url}/loki/api/v1/query_range", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


def are_whole(found: list[dict[str, Any]]) -> bool:
    (stream,) = found
    labels = {name: stream["stream"][name] for name in (*LABELS, "service", "container")}
    assert labels == {**LABELS, "service": "backend", "container": "backend"}
    sent = lines(3000)
    assert [text for _, text in stream["values"]] == [one.text for one in sent]
    first = int(stream["values"][0][0])
    return first == int(NOON.timestamp()) * 10**9 + 123_456_000


async def test_lines_arrive_whole_in_order_and_with_their_labels(url: str):
    assert are_whole(await pushed_and_asked(url))


async def test_a_real_loki_takes_them_and_gives_them_back(real: str):
    assert are_whole(await pushed_and_asked(real))


async def test_what_cannot_be_taken_now_is_sent_again_and_what_is_refused_is_not(url: str, loki: FakeLoki):
    pauses: list[float] = []

    async def remember(seconds: float) -> None:
        pauses.append(seconds)

    pushing = LokiPush(url, describe=described, sleep=remember)
    loki.answers += [429, 503]
    await pushing._send([("shop-k3v9qd", 1, line) for line in lines(2)])
    assert (len(loki.lines(run="shop-k3v9qd")), pauses, pushing.dropped) == (2, list(PAUSES[:2]), 0)
    loki.answers += [400]
    await pushing._send([("shop-k3v9qd", 1, line) for line in lines(3)])
    assert (pushing.dropped, loki.pushes) == (3, 4)
    await pushing.aclose()


async def test_what_waits_is_bounded_and_a_loki_that_is_away_blocks_nobody():
    pushing = LokiPush(f"http://127.0.0.1:{free_port()}", describe=described, sleep=at_once)
    pushing.heard("shop-k3v9qd", 1, lines(MOST_WAITING + 5))
    assert pushing.dropped == 5
    pushing.start()
    await pushing.aclose()
    assert pushing.dropped == MOST_WAITING + 5


async def test_a_run_has_its_logs_in_loki_as_in_its_archive(tmp_path: Path, url: str, loki: FakeLoki):
    done = await asyncio.to_thread(run_the_shop, tmp_path, "", CONDUCTOR_LOKI_URL=url)
    assert done.returncode == 0, done.stderr
    (run,) = {dict(key)["run"] for key in loki.streams}
    archive = tmp_path / "state" / "runs" / run / "1" / "logs"
    kept = {file.name.split(".")[0] for file in archive.iterdir()}
    assert {dict(key)["service"] for key in loki.streams} == kept
    assert {dict(key)["environment"] for key in loki.streams} == {"qa"}


def test_alloy_promtail_and_conductor_give_lines_the_same_labels():
    promtail = yaml.safe_load((DEPLOY / "promtail" / "promtail.yaml").read_text())
    (job,) = promtail["scrape_configs"]
    targets = {one.get("target_label") for one in job["relabel_configs"]}
    alloy = (DEPLOY / "alloy" / "config.alloy").read_text()
    for label in (*LABELS, "service", "container"):
        assert label in targets
        assert f'target_label  = "{label}"' in alloy


def test_alloys_configuration_is_one(tmp_path: Path):
    binary = os.environ.get("CONDUCTOR_TEST_ALLOY") or shutil.which("alloy")
    if not binary:
        pytest.skip("no alloy on this machine: name one by CONDUCTOR_TEST_ALLOY")
    file = DEPLOY / "alloy" / "config.alloy"
    done = subprocess.run(
        [binary, "fmt", "--test", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
