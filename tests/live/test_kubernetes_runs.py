"""Whole runs on a real cluster: the shop from beginning to end, the examples with their reasons, what is kept, and what is left.

They run under the shipped account; what is there of them is asked as administrator.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.installed import Installed, installed
from tests.live.kubernetes_runs import KUBECONFIG, LIMIT_SECONDS, Cluster, Ended, repository
from tests.live.shop import EXAMPLES, conductor
from tests.live.test_kubernetes_manifests import Server

__all__ = ["installed"]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NAMES = sorted(
    file.parent.name
    for file in EXAMPLES.glob("*/expected.yaml")
    if file.parent.name not in ("build-fails", "shop") and not file.parent.name.startswith("hostile-")
)
"""Those that reach a cluster: not what is refused before, nor a build that fails."""
EXIT_CODES = {"passed": 0, "failed": 1, "broken": 3}
TOLD_WITHIN_SECONDS = 30
"""From the moment that the cluster shows a cause to the end of the run that it ends."""


@pytest.fixture
def cluster(installed: Installed, tmp_path: Path) -> Iterator[Cluster]:
    """The command line under the shipped account, and what its administrator sees."""
    server = Server(Path(KUBECONFIG), tmp_path)
    made = Cluster(tmp_path / "state", server, installed.settings, installed.name)
    try:
        yield made
    finally:
        made("stacks", "delete", "--all")
        server.close()


def test_the_shop_runs_from_beginning_to_end_and_stays_to_be_looked_at(
    cluster: Cluster, tmp_path: Path
) -> None:
    ended = cluster.run(str(repository("shop", tmp_path)), "--no-cleanup")
    run, namespace = ended.run, ended.namespace

    assert (ended.exit_code, ended.outcome["verdict"]) == (0, "passed"), ended.outcome
    assert ended.outcome["counts"]["passed"] == 14
    assert ended.outcome["partial"] == []
    assert all("sha256:" in image for image in images_of(cluster, namespace))
    logs = cluster("runs", "logs", run).stdout
    assert "the shop listens on port 3001" in logs
    kept = {file.name for file in (cluster.state / "runs").rglob("*") if file.is_file()}
    assert {"junit.xml"} & kept or any("junit" in name for name in kept), kept

    workloads = Counter(cluster.pods(namespace).values())
    assert set(workloads) == {"redis", "mailhog", "backend", "frontend", "tests"}
    listed = json.loads(cluster("stacks", "list", run, "--json").stdout)
    assert namespace in json.dumps(listed)
    assert "the shop listens on port 3001" in cluster("stacks", "logs", run, "backend").stdout
    assert cluster("stacks", "exec", run, "redis", "--", "redis-cli", "ping").stdout.strip() == "PONG"
    assert cluster("stacks", "exec", run, "redis", "--", "sh", "-c", "exit 7").returncode == 7
    assert json.loads(answer_of(cluster, run, "backend:3001", "/health")) == {"redis": "PONG"}

    end = lease_end(cluster, run)
    assert cluster("stacks", "extend", run, "--by", "3h").returncode == 0
    assert lease_end(cluster, run) > end
    awake = cluster.pods(namespace).keys()
    assert cluster("stacks", "sleep", run).returncode == 0
    woken = cluster("stacks", "wake", run)
    assert woken.returncode == 0, woken.stderr
    assert all(pods_of(cluster, namespace, name) - awake for name in workloads if name != "tests")
    assert cluster("stacks", "exec", run, "redis", "--", "redis-cli", "ping").stdout.strip() == "PONG"

    removed = cluster("stacks", "delete", run)
    assert removed.returncode == 0, removed.stderr
    assert cluster.left(namespace) == []


def answer_of(cluster: Cluster, run: str, port: str, path: str) -> str:
    """Open a service's port and ask it once."""
    opened = subprocess.Popen(
        [*conductor(), "stacks", "open", run, port],
        env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert opened.stdout is not None
    try:
        said = ""
        for line in opened.stdout:
            said += line
            if found := re.search(r"127\.0\.0\.1:\d+", line):
                with urllib.request.urlopen(f"http://{found[0]}{path}", timeout=LIMIT_SECONDS) as answer:
                    return str(answer.read().decode())
        pytest.fail(f"no address was told: {said}")
    finally:
        opened.terminate()
        opened.wait(timeout=LIMIT_SECONDS)
        opened.stdout.close()


def lease_end(cluster: Cluster, run: str) -> str:
    listed = cluster("stacks", "list", run, "--json").stdout
    found = re.search(r'"expires_at": ?"([^"]+)"', listed)
    assert found, listed
    return found[1]


@pytest.mark.parametrize("example", NAMES)
def test_an_example_ends_as_it_says_soon_after_its_cause_is_visible(
    example: str, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = yaml.safe_load((EXAMPLES / example / "expected.yaml").read_text())
    options = secrets_of(expected, tmp_path)

    ended = cluster.run(str(repository(example, tmp_path)), "--no-cleanup", *options)

    for key in ("verdict", "reason", "fault", "subject"):
        if key in expected:
            assert ended.outcome[key] in as_list(expected[key]), ended.outcome
    for text in as_list(expected.get("says", [])):
        assert text in ended.outcome["message"]
    assert ended.exit_code == expected.get("exit_code", EXIT_CODES[expected["verdict"]])
    if "counts" in expected:
        assert expected["counts"].items() <= ended.outcome["counts"].items()
    if "logged" in expected:
        assert expected["logged"] in cluster("runs", "logs", ended.run).stdout
    if any(event["kind"] == "lease.changed" for event in ended.events):
        told = seconds_until_told(cluster, ended)
        with capsys.disabled():
            seconds = (
                f"{ended.outcome['seconds']:.1f} s in all, {told} s of them after the first sign of trouble"
            )
            print(f"\n{example}: {ended.outcome['reason']}, {seconds}")  # noqa: T201
        assert told is None or told < TOLD_WITHIN_SECONDS
        cluster("stacks", "delete", ended.run)
        assert cluster.left(ended.namespace) == []


def seconds_until_told(cluster: Cluster, ended: Ended) -> float | None:
    """Return the seconds from the first sign of trouble that the cluster shows to the end of the run, by the cluster's clock."""
    events = cluster.objects(f"/api/v1/namespaces/{ended.namespace}/events")
    warned = [event["firstTimestamp"] for event in events if event["type"] == "Warning"]
    signs = [datetime.fromisoformat(at) for at in (*warned, *bad_ends(cluster, ended.namespace)) if at]
    over = next(event["at"] for event in ended.events if event["kind"] == "run.ended")
    return round((datetime.fromisoformat(over) - min(signs)).total_seconds(), 1) if signs else None


def bad_ends(cluster: Cluster, namespace: str) -> Sequence[str]:
    ends: list[Mapping[str, Any]] = [
        status.get(which, {}).get("terminated") or {}
        for pod in cluster.objects(f"/api/v1/namespaces/{namespace}/pods")
        for status in pod["status"].get("containerStatuses", ())
        for which in ("state", "lastState")
    ]
    return [end["finishedAt"] for end in ends if end.get("exitCode")]


def test_a_service_that_has_used_up_its_tries_is_reported_with_its_last_exit_code(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = repository("crash", tmp_path)
    compose = folder / "docker-compose.qa.yml"
    file = yaml.safe_load(compose.read_text())
    file["services"]["worker"]["restart"] = "on-failure:1"
    compose.write_text(yaml.safe_dump(file))

    ended = cluster.run(str(folder), "--no-cleanup")

    found = {key: ended.outcome[key] for key in ("verdict", "reason", "fault", "subject")}
    assert found == {"verdict": "broken", "reason": "Error", "fault": "repository", "subject": "worker"}
    assert "exited with 3" in ended.outcome["message"]
    assert Counter(cluster.pods(ended.namespace).values())["worker"] == 2
    assert cluster("runs", "logs", ended.run).stdout.count("worker: QUEUE_URL is not set") == 2


def secrets_of(expected: Mapping[str, Any], folder: Path) -> Sequence[str]:
    """Write an env file with values for the secrets that an example wants; return the options that name it."""
    names = expected.get("secrets", ())
    file = folder / "secrets.env"
    file.write_text("".join(f"{name}=a-value-of-it\n" for name in names))
    return ["--env-file", str(file)] if names else []


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_failed_tests_alone_run_again_in_the_kept_stack_with_the_same_images(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = str(repository("red", tmp_path))
    ways = (("--no-cleanup",), ("--rerun-failed",), ("--from", "tests"), ("--from", "stack"))
    ended, images, redis = [], [], []
    for way in ways:
        ended.append(cluster.run(folder, *way))
        images.append(images_of(cluster, ended[-1].namespace))
        redis.append(pods_of(cluster, ended[-1].namespace, "redis"))

    assert [one.exit_code for one in ended] == [EXIT_CODES["failed"]] * 4
    assert {one.run for one in ended} == {ended[0].run}
    assert [one.outcome["counts"]["total"] for one in ended] == [3, 1, 3, 3]
    assert images == [images[0]] * 4 != [set()] * 4
    assert redis[0] == redis[1] == redis[2]
    assert redis[3].isdisjoint(redis[0])
    cluster("stacks", "delete", ended[0].run)
    assert cluster.left(ended[-1].namespace) == []


def images_of(cluster: Cluster, namespace: str) -> set[str]:
    """Return what every container of a namespace is made of, as the node says it: by digest."""
    return {
        status["imageID"]
        for pod in cluster.objects(f"/api/v1/namespaces/{namespace}/pods")
        for status in pod["status"].get("containerStatuses", ())
        if not status["name"].startswith("conductor-")
    }


def pods_of(cluster: Cluster, namespace: str, workload: str) -> set[str]:
    return {uid for uid, name in cluster.pods(namespace).items() if name == workload}
