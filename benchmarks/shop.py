"""A run of the shop, images present, against the longest chain of its parts done by hand with Podman's own command line.

By hand: a copy of the tree, network, redis on its volume until its health check passes, backend until healthy, frontend until healthy, the
tests, their reports and artifacts copied out (mailhog starts after redis). Not by hand: looking whether images are up to date, the logs of
every service, records. Conductor: from the acceptance of the run to its verdict, by its own events, and the whole process besides.
The two alternate; the figure to quote is the median of the ratios, pair by pair, with their spread. By hand too, addresses are fixed and
names stand in /etc/hosts: Podman's name server is silent while networks of anybody come and go, and the chain by hand would wait for it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parents[1] / "examples" / "shop"
SUBNET = "10.213.77"
ADDRESSES = {
    name: f"{SUBNET}.{10 + index}" for index, name in enumerate(("redis", "mailhog", "backend", "frontend"))
}
INTERVAL_SECONDS = 0.5
"""Between two askings by hand: more often than the shop's own interval, so that the chain is not slow by its own doing."""


def main(pairs: int = 7, tries: int = 21) -> None:
    """Print each pair and the medians."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder) / "state"
        environment = {**os.environ, "CONDUCTOR_STATE": str(state)}
        first = run_by_conductor(environment)  # builds what is missing, and is not counted
        images = {image["name"]: image["reference"] for image in first["images"]}
        print("pair   by hand   conductor   ratio   whole process")
        ratios = []
        for number in range(tries):
            if len(ratios) == pairs:
                break
            try:
                by_hand = chain_by_hand(images, state)
            except RedByHandError as red:
                print(f"{number + 1:4} by hand the tests failed, and the pair does not count: {red}")
                continue
            ours = run_by_conductor(environment)
            ratios.append(ours["seconds"] / by_hand)
            print(
                f"{number + 1:4} {by_hand:8.2f} s {ours['seconds']:9.2f} s {ratios[-1]:7.2f} {ours['process']:12.2f} s"
            )
        spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs"
        print(f"median ratio {statistics.median(ratios):.2f} ({spread}; target: at most 1.10)")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"largest process of a run: {peak:.0f} MiB")


class RedByHandError(Exception):
    """Something went wrong by hand: the pair does not count."""


def run_by_conductor(environment: dict[str, str]) -> dict[str, Any]:
    """Run the shop and return seconds from acceptance to verdict, seconds of the process, and its images."""
    command = [sys.executable, "-m", "conductor.cli.main"]
    began = time.perf_counter()
    answer = subprocess.run(
        [*command, "run", str(SHOP), "--json", "--cleanup", "always"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    process = time.perf_counter() - began
    if answer.returncode:
        sys.exit(f"the shop did not pass:\n{answer.stdout[-2000:]}\n{answer.stderr[-2000:]}")
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    told = {event["kind"]: event for event in events if "kind" in event}
    accepted = told["run.requested"]
    verdict = next(e for e in events if e.get("kind") == "step.ended" and e["subject"] == "read-results")
    run = accepted["run"]
    view = subprocess.run(
        [*command, "runs", "show", run, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "seconds": (
            datetime.fromisoformat(verdict["at"]) - datetime.fromisoformat(accepted["at"])
        ).total_seconds(),
        "process": process,
        "images": json.loads(view.stdout)["images"],
    }


def chain_by_hand(images: dict[str, str], state: Path) -> float:
    """Do the longest chain with `podman` itself and return its seconds."""
    configuration = state / "podman" / "containers.conf"
    environment = {
        **os.environ,
        **({"CONTAINERS_CONF": str(configuration)} if configuration.exists() else {}),
    }
    copied = Path(tempfile.mkdtemp(prefix="bench-"))

    def podman(*arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            ["podman", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            failed = [line for line in done.stdout.splitlines() if line.lstrip().startswith("✖")]
            raise RedByHandError(f"podman {arguments[0]}: {', '.join(failed) or done.stderr}")
        return done.returncode

    names = [f"--add-host={name}:{address}" for name, address in ADDRESSES.items()]

    def start(name: str, image: str, *more: str, command: tuple[str, ...] = ()) -> None:
        podman(
            "run",
            "-d",
            "--name",
            f"bench-{name}",
            "--network",
            "bench",
            "--network-alias",
            name,
            f"--ip={ADDRESSES[name]}",
            *names,
            *more,
            image,
            *command,
        )

    def until_healthy(name: str, *check: str) -> None:
        while podman("exec", f"bench-{name}", *check, check=False):
            time.sleep(INTERVAL_SECONDS)

    compose = (SHOP / "docker-compose.qa.yml").read_text()
    redis = re.search(r"image: (redis:\S+)", compose)
    assert redis is not None
    environment_of_backend = [
        f"--env-file={SHOP / 'qa.env'}",
        *(
            f"-e{pair}"
            for pair in (
                "PORT=3001",
                "REDIS_URL=redis://redis:6379",
                "SMTP_URL=smtp://mailhog:1025",
                "MAIL_FROM=orders@shop.example",
            )
        ),
        f"-v{copied / 'checkout' / 'config' / 'catalogue.json'}:/etc/shop/catalogue.json:ro",
    ]
    try:
        began = time.perf_counter()
        subprocess.run(["cp", "-R", str(SHOP), str(copied / "checkout")], check=True)
        podman("network", "create", f"--subnet={SUBNET}.0/24", "bench")
        start(
            "redis",
            f"docker.io/library/{redis[1]}",
            "-vbench-redis-data:/data",
            command=("redis-server", "--save", "", "--appendonly", "yes"),
        )
        start("mailhog", "docker.io/mailhog/mailhog:v1.0.1")
        until_healthy("redis", "redis-cli", "ping")
        start("backend", images["backend"], *environment_of_backend)
        until_healthy("backend", "node", "healthcheck.js")
        start("frontend", images["frontend"])
        until_healthy("frontend", "sh", "-c", "wget -q -O /dev/null http://127.0.0.1/")
        tests = images["tests/tests"]
        podman(
            "run",
            "--name",
            "bench-tests",
            "--network",
            "bench",
            *names,
            "--entrypoint",
            "sh",
            tests,
            "-c",
            "yarn test:integration:nc",
        )
        podman("cp", "bench-tests:/shop/reports", str(copied))
        podman("cp", "bench-tests:/shop/artifacts", str(copied))
        return time.perf_counter() - began
    finally:
        podman(
            "rm",
            "-f",
            "-v",
            *(f"bench-{name}" for name in ("tests", "frontend", "backend", "mailhog", "redis")),
            check=False,
        )
        podman("network", "rm", "-f", "bench", check=False)
        podman("volume", "rm", "-f", "bench-redis-data", check=False)
        shutil.rmtree(copied, ignore_errors=True)


if __name__ == "__main__":
    main()
