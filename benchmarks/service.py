"""A server under load: deliveries, many runs at once, followers of a log, and what it costs when nobody asks for anything.

All of it is asked of one `conductor serve` with a folder of bare repositories and the fake engine, on SQLite; then of another on Debian's
Postgres where it is installed. Whoever asks is this process, on the same processors: what it uses is in no figure of the server's, but the
server waits for it, so the load average stands beside each. Deliveries are pushes of branches, as most are: verified, stored, answered,
read, and no run begins. Runs are whole ones, of the tags of one repository: cloned by git, queued, admitted, deployed to the fake engine,
tested, reported. The lag of a line is from its time in its container to its arrival at a follower. `--short` asks for less of all.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
from tests.live.served import Site, prepared, serving
from tests.postgres import started

from conductor.operations.deliver import sign

RATE = 200
TARGET_MILLISECONDS = 50
PATIENCE_SECONDS = 900
TICK = os.sysconf("SC_CLK_TCK")
COMPOSE = "services: {web: {image: app}}\n"
QUICK = "version: 1\ncleanup: always\ntests: {image: app, command: [run, all]}\n"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is asked for."""

    delivering_seconds: int = 20
    runs: int = 500
    followers: int = 200
    lines: int = 200
    idle_seconds: int = 60


SHORT = Amounts(delivering_seconds=3, runs=20, followers=20, lines=30, idle_seconds=10)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One that runs: whom to ask, with whose word, and what it has used."""

    site: Site
    pid: int
    session: aiohttp.ClientSession

    async def deliver(self, number: str, ref: str, commit: str) -> int:
        """Send a push as a repository's hook does; return the answer's status."""
        push = {"repository": "load", "ref": ref, "after": commit, "commit": commit, "pusher": "bench"}
        body = json.dumps(push).encode()
        headers = {
            "X-GitHub-Delivery": number,
            "X-GitHub-Event": "push",
            "X-Hub-Signature-256": sign(self.site.environment["CONDUCTOR_FOLDER_SECRET"], body),
        }
        async with self.session.post("/webhooks/folder", data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def ask(self, path: str, **query: str) -> Any:
        async with self.session.get(f"/api/v1{path}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()

    def processor(self) -> float:
        """Seconds of processor until now, its ended children's too."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in after_name[11:15]) / TICK

    def memory(self, key: str = "VmRSS") -> float:
        """MiB that it holds; `VmHWM`: at the most."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(key))) / 1024


def main() -> None:
    """Print the figures."""
    amounts = SHORT if "--short" in sys.argv else Amounts()
    asyncio.run(_all("SQLite", amounts, {}))
    with started() as postgres:
        if postgres is None:
            print("no Postgres on this machine")
            return
        asyncio.run(_all("Postgres", amounts, {"CONDUCTOR_DATABASE": postgres}))


async def _all(records: str, amounts: Amounts, database: Mapping[str, str]) -> None:
    async with served(database) as server:
        tell(f"idle, {records}", await idle(server, amounts.idle_seconds))
        tell(f"deliveries, {records}", await deliveries(server, amounts.delivering_seconds))
        tell(f"followers, {records}", await followers(server, amounts))
        tell(f"runs, {records}", await runs(server, amounts.runs))


async def idle(server: Server, seconds: int) -> Mapping[str, str]:
    """Ask for nothing."""
    before = server.processor()
    await asyncio.sleep(seconds)
    used = (server.processor() - before) * 60 / seconds
    return {"processor": f"{used:.2f} s a minute", "memory": f"{server.memory():.0f} MiB"}


async def deliveries(server: Server, seconds: int) -> Mapping[str, str]:
    """Deliver at a steady rate, whether or not the answers keep up; then see that each is on record."""
    commit, before = "a" * 40, server.processor()
    took: list[float] = []

    async def one(number: int) -> None:
        began = time.perf_counter()
        if await server.deliver(f"push-{number}", f"refs/heads/b-{number}", commit) == 202:
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(RATE * seconds):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            group.create_task(one(number))
    span = time.perf_counter() - began
    again: list[int] = []
    for first in range(0, RATE * seconds, 20):
        batch = range(first, first + 20)
        again += await asyncio.gather(
            *(server.deliver(f"push-{number}", f"refs/heads/b-{number}", commit) for number in batch)
        )
    return {
        "delivered, taken, on record": f"{RATE * seconds}, {len(took)}, {again.count(200)}",
        "rate": f"{len(took) / span:.0f} a second for {span:.1f} s",
        "to the answer, p50 / p99": f"{_shares(took, 1000)} ms (target: p99 {TARGET_MILLISECONDS})",
        "processor, with as many again": f"{(server.processor() - before) / (2 * RATE * seconds) * 1000:.2f} ms a delivery",
        "memory": f"{server.memory():.0f} MiB",
    }


async def runs(server: Server, count: int) -> Mapping[str, str]:
    """Push so many tags at once and wait for the last verdict."""
    commits = tagged(server.site, count, QUICK)
    before, began = server.processor(), time.perf_counter()
    for number, commit in enumerate(commits):
        await server.deliver(f"run-{number}", f"refs/tags/run-integration-tests-{number}", commit)
    ended = await _ended(server, count)
    span, used = time.perf_counter() - began, server.processor() - before
    passed = sum(row["outcome"]["verdict"] == "passed" for row in ended)
    return {
        "runs, and passed": f"{count}, {passed}",
        "rate": f"{count / span * 60:.0f} runs a minute ({span:.0f} s in all)",
        "processor, with its git": f"{used / count * 1000:.0f} ms a run ({used / span:.0%} of one)",
        "memory, at the most": f"{server.memory('VmHWM'):.0f} MiB",
    }


async def followers(server: Server, amounts: Amounts) -> Mapping[str, str]:
    """Let many follow the log of one run that writes a line each 100 ms."""
    script = "; ".join(f"echo line {number}; sleep 0.1" for number in range(amounts.lines))
    plan = f"version: 1\ncleanup: always\ntests: {{image: app, command: [sh, -c, '{script}']}}\n"
    (commit,) = tagged(server.site, 1, plan)
    await server.deliver("followed", "refs/tags/run-integration-tests-0", commit)
    run = await _until_it_writes(server)
    before, began = server.processor(), time.perf_counter()
    told = await asyncio.gather(*(_follow(server, run) for _ in range(amounts.followers)))
    span, used = time.perf_counter() - began, server.processor() - before
    lags = [lag for one in told for lag in one if lag is not None]
    return {
        "followers, lines that came to all": f"{amounts.followers}, {min(map(len, told))} to {max(map(len, told))}",
        "lag of a line, p50 / p99": f"{_shares(lags, 1000)} ms",
        "processor": f"{used / span:.0%} of one ({used / span / amounts.followers:.2%} a follower)",
        "memory": f"{server.memory():.0f} MiB",
    }


async def _follow(server: Server, run: str) -> list[float | None]:
    """Follow to the end; return each line's lag in seconds, None for those that had been written before."""
    began, lags = datetime.now(UTC), list[float | None]()
    async with server.session.get(f"/api/v1/runs/{run}/logs/stream", params={"workload": "tests"}) as stream:
        stream.raise_for_status()
        async for line in stream.content:
            if line.startswith(b"data: ["):
                now = datetime.now(UTC)
                for one in json.loads(line.removeprefix(b"data: ")):
                    at = datetime.fromisoformat(one["at"])
                    lags.append((now - at).total_seconds() if at > began else None)
    return lags


async def _until_it_writes(server: Server) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for row in (await server.ask("/runs", limit="1"))["items"]:
                if "tests" in await server.ask(f"/runs/{row['run']['id']}/workloads"):
                    return str(row["run"]["id"])
            await asyncio.sleep(0.1)


async def _ended(server: Server, count: int) -> list[Any]:
    """Wait until so many have ended that were begun after the followed one; asks seldom, so as not to be the load."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await asyncio.sleep(1)
            if len(rows := await _all_ended(server)) > count:
                return rows[:count]


async def _all_ended(server: Server) -> list[Any]:
    rows: list[Any] = []
    query = {"status": "ended", "limit": "100"}
    while True:
        page = await server.ask("/runs", **query)
        rows += page["items"]
        if not page["next"]:
            return rows
        query["cursor"] = page["next"]


def tagged(site: Site, count: int, plan: str) -> Sequence[str]:
    """Commit the plan to so many branches of the repository, each with its trigger tag, in one go of git; return the commits."""
    bare = site.repositories / "load.git"
    if not bare.exists():
        site.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    stream = "".join(_commit(number, plan) for number in range(count))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        input=stream.encode(),
        cwd=bare,
        env=dict(site.environment),
        check=True,
        timeout=60,
    )
    names = [f"run-integration-tests-{number}" for number in range(count)]
    return site.git("rev-parse", *names, at=bare).split()


def _commit(number: int, plan: str) -> str:
    ref = f"refs/heads/branch-{number}"
    files = {"docker-compose.qa.yml": COMPOSE, ".conductor.yaml": plan}
    told = "".join(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n" for name, text in files.items())
    return (
        f"reset {ref}\ncommit {ref}\ncommitter bench <bench@example.org> {int(time.time()) + number} +0000\n"
        f"data 4\nload\n{told}\nreset refs/tags/run-integration-tests-{number}\nfrom {ref}\n\n"
    )


@asynccontextmanager
async def served(database: Mapping[str, str]) -> AsyncIterator[Server]:
    """Run a server that admits all that is asked of it, and end it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _quiet():
        many = dict.fromkeys(
            ("CONDUCTOR_MAX_RUNS", "CONDUCTOR_MAX_RUNS_PER_REPOSITORY", "CONDUCTOR_MAX_STACKS"), "2000"
        )
        site = prepared(
            Path(name), engine="fake", **{**many, "CONDUCTOR_RECONCILE_SECONDS": "3600", **database}
        )
        made = site.command("tokens", "create", "bench", "--role", "run")
        if made.returncode:
            sys.exit(made.stderr)
        token = {"Authorization": f"Bearer {made.stdout.strip()}"}
        with serving(site) as (process, address):
            connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
            async with aiohttp.ClientSession(
                address, headers=token, connector=connector, timeout=patience
            ) as session:
                yield Server(site=site, pid=process.pid, session=session)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the server wrote to itself, unless it ends in an error."""
    with redirect_stderr(StringIO()) as kept:
        try:
            yield
        except BaseException:
            sys.__stderr__ and sys.__stderr__.write(kept.getvalue())
            raise


def tell(title: str, found: Mapping[str, str]) -> None:
    """Print the figures of one play."""
    print(title)
    for name, text in {**found, "load average": f"{os.getloadavg()[0]:.1f}"}.items():
        print(f"  {name:36}{text}", flush=True)


def _shares(waits: Sequence[float], factor: float) -> str:
    if len(waits) < 2:
        return "none"
    shares = statistics.quantiles(waits, n=100)
    return f"{shares[49] * factor:.0f} / {shares[98] * factor:.0f}"


if __name__ == "__main__":
    main()
