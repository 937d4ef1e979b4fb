"""A run of the shop on a real cluster, images on the node, against the longest chain of its pods done by hand.

`CONDUCTOR_TEST_KUBECONFIG` names the cluster; `tests/live/kubernetes_runs.py` says what is on its nodes. By hand: the very objects that
`conductor convert` prints, sent to the API server in the order of the chain: namespace and bounds, redis and mailhog, backend once redis is
ready, frontend once that is, the suite's Job, and its collector's log to the last line. Not by hand: records, the logs of every service,
the lease. Conductor: from the acceptance of the run to its verdict, by its own events. The two alternate; the figure to quote is the median
of the ratios, pair by pair. What Conductor's steps took is printed for the median run.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.live.kubernetes_runs import KUBECONFIG, NOT_FOUND, Cluster, Ended, repository
from tests.live.test_kubernetes_manifests import PLURALS, Server

from conductor.adapters.kubernetes.manifests.test_job import COLLECTOR

TARGET = 1.05
PATIENCE_SECONDS = 120
JOBS = ("redis", "mailhog", "backend", "frontend", "tests")
CREATED = 201


def main(pairs: int = 5) -> None:
    """Print each pair and the medians."""
    if not KUBECONFIG:
        print("no cluster to run on: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        cluster = Cluster(Path(folder) / "state", Server(Path(KUBECONFIG), Path(folder)))
        shop = repository("shop", Path(folder))
        run_by_conductor(cluster, shop)  # is not counted
        print("pair   by hand   conductor   ratio")
        found: list[tuple[float, Ended]] = []
        for number in range(1, pairs + 1):
            by_hand = chain_by_hand(cluster, shop, f"bench-{number}-{cluster.instance}")
            ended = run_by_conductor(cluster, shop)
            found.append((seconds(ended) / by_hand, ended))
            print(f"{number:4} {by_hand:8.2f} s {seconds(ended):9.2f} s {found[-1][0]:7.3f}", flush=True)
        found.sort(key=lambda pair: pair[0])
        ratio = statistics.median(ratio for ratio, _ in found)
        print(
            f"median ratio {ratio:.3f} ({found[0][0]:.3f} to {found[-1][0]:.3f}; target: at most {TARGET})\n"
        )
        tell_steps(found[len(found) // 2][1])


def run_by_conductor(cluster: Cluster, shop: Path) -> Ended:
    """Run the shop to its verdict, and remove it."""
    ended = cluster.run(str(shop), "--cleanup", "always")
    if ended.exit_code:
        sys.exit(f"the shop did not pass: {ended.outcome}")
    return ended


def seconds(ended: Ended) -> float:
    """Return the seconds from acceptance to verdict."""
    return (moment(_end_of(ended, "read-results")) - accepted(ended)).total_seconds()


def accepted(ended: Ended) -> datetime:
    return moment(next(event for event in ended.events if event["kind"] == "run.requested"))


def moment(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"])


def _end_of(ended: Ended, step: str) -> Mapping[str, Any]:
    return next(event for event in ended.events if event["kind"] == "step.ended" and event["subject"] == step)


def tell_steps(ended: Ended) -> None:
    """Print when each step of a run began and ended."""
    began: dict[tuple[str, str], float] = {}
    print("began    took   step")
    for event in ended.events:
        key = (event["subject"], event["data"].get("subject", "")) if "data" in event else ("", "")
        at = (moment(event) - accepted(ended)).total_seconds()
        if event["kind"] == "step.started":
            began[key] = at
        elif event["kind"] == "step.ended":
            print(f"{began.get(key, at):5.2f} {at - began.get(key, at):6.2f}   {' '.join(key)}")


def chain_by_hand(cluster: Cluster, shop: Path, namespace: str) -> float:
    """Do the longest chain with the API server alone and return its seconds."""
    told = cluster("convert", str(shop), "--namespace", namespace, "--json")
    objects: Sequence[Mapping[str, Any]] = json.loads(told.stdout)["objects"]
    server = cluster.server
    try:
        began = time.perf_counter()
        shutil.copytree(shop, shop.parent / namespace)
        for manifest in objects:
            if manifest["kind"] != "Job":
                server.put(manifest)
        server.put(account(namespace))
        for name, waits_for in zip(JOBS, ("", "", "redis", "backend", "frontend"), strict=True):
            if waits_for:
                until(server, namespace, waits_for, is_ready)
            create(server, next(m for m in objects if m["kind"] == "Job" and m["metadata"]["name"] == name))
        pod = until(server, namespace, "tests", collects)
        log = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container={COLLECTOR}&follow=true"
        if not any(line.startswith("END ") for line in server.lines(log)):
            sys.exit("by hand, the tests left nothing")
        return time.perf_counter() - began
    finally:
        remove(server, namespace)


def account(namespace: str) -> Mapping[str, Any]:
    """Make the account of the pods, which the cluster makes in its own time otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
        "automountServiceAccountToken": False,
    }


def create(server: Server, job: Mapping[str, Any]) -> None:
    path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/{PLURALS['Job']}"
    status, said = server.ask("POST", path, job)
    if status != CREATED:
        sys.exit(f"by hand, the Job was refused: {said}")


def until(server: Server, namespace: str, workload: str, condition: Any) -> str:
    """Watch the pods of a workload until one is so; return its name."""
    wish = f"labelSelector=conductor.dev/workload={workload}&watch=true&timeoutSeconds={PATIENCE_SECONDS}"
    for line in server.lines(f"/api/v1/namespaces/{namespace}/pods?{wish}"):
        pod = json.loads(line)["object"]
        if condition(pod):
            return str(pod["metadata"]["name"])
    sys.exit(f"by hand, {workload} was not so far within {PATIENCE_SECONDS} s")


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def collects(pod: Mapping[str, Any]) -> bool:
    statuses = pod["status"].get("initContainerStatuses", ())
    return any(one["name"] == COLLECTOR and "waiting" not in one["state"] for one in statuses)


def remove(server: Server, namespace: str) -> None:
    """Remove a namespace made by hand, the suite's finalizer with it, and wait until it is gone."""
    path = f"/api/v1/namespaces/{namespace}"
    server.ask("DELETE", path, {"propagationPolicy": "Background"})
    for pod in server.ask("GET", f"{path}/pods")[1].get("items", ()):
        where = f"{path}/pods/{pod['metadata']['name']}"
        server.ask("PATCH", where, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
        server.ask("DELETE", where, {"gracePeriodSeconds": 1})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.ask("GET", path)[0] != NOT_FOUND and time.monotonic() < deadline:
        time.sleep(0.3)


if __name__ == "__main__":
    main()
