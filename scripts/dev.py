# ruff: noqa: INP001, S310 -- a script: it belongs to no package, and asks nobody but the server that it started
"""A server to work on: on the fake engine, with three repositories (green, red, hanging) that have a run each; started anew on a change.

`python scripts/dev.py [ADDRESS:PORT]`. What it keeps lies in a folder of its own and is made anew each time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHOP = ROOT / "examples" / "shop"
BIN = Path(sys.executable).parent
SUITES = {"demo/green": "checkout", "demo/red": "refunds", "demo/hanging": "patience"}
LOOK_SECONDS = 1.0
START_SECONDS = 30.0


def main() -> int:
    """Make the repositories, serve, ask for the runs, and go on until Ctrl-C."""
    listen = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "conductor" / "dev"
    shutil.rmtree(folder, ignore_errors=True)
    for name, suite in SUITES.items():
        make_repository(folder / "git" / f"{name}.git", suite)
    environment = {
        **os.environ,
        "CONDUCTOR_ENGINE": "fake",
        "CONDUCTOR_STATE": str(folder / "state"),
        "CONDUCTOR_REPOSITORIES": str(folder / "git"),
        "CONDUCTOR_FOLDER_SECRET": secrets.token_hex(32),
        "CONDUCTOR_ALLOW": "demo/*",
        "CONDUCTOR_FAIL": "deploy/backend:slow=2,tests/tests-refunds:fails,tests/tests-patience:hangs",
    }
    made = conductor(environment, "tokens", "create", "dev", "--role", "admin", "--json")
    token = json.loads(made)["text"]
    server = serve(environment, listen)
    try:
        wait_for(f"http://{listen}/readyz")
        for name in SUITES:
            ask_for_run(f"http://{listen}", token, name)
        say(f"\n  http://{listen}/runs\n  token: {token}\n")
        watch(server, environment, listen)
    except KeyboardInterrupt:
        return 0
    finally:
        stop(server)
    return 0


def make_repository(bare: Path, suite: str) -> None:
    """Make a bare repository of the shop, with one test suite of that name."""
    work = bare.parent / f"{bare.stem}.work"
    shutil.copytree(SHOP, work)
    plan = (
        "version: 1\nstack: {compose: docker-compose.qa.yml}\ncleanup: keep\n"
        f"tests:\n  - {{name: {suite}, image: node, command: [yarn, test], timeout: 1h}}\n"
    )
    (work / ".conductor.yaml").write_text(plan)
    git(work, "init", "-q", "-b", "main")
    git(work, "add", "--all")
    git(work, "commit", "-q", "-m", "The shop")
    git(work, "tag", "run-integration-tests")
    git(work, "clone", "-q", "--bare", ".", str(bare))
    shutil.rmtree(work)


def git(folder: Path, *words: str) -> None:
    """Have git do something in a folder."""
    who = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True)


def conductor(environment: Mapping[str, str], *words: str) -> str:
    """Have the command do something, and return what it says."""
    done = subprocess.run(
        [BIN / "conductor", *words], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def serve(environment: Mapping[str, str], listen: str) -> list[subprocess.Popen[bytes]]:
    """Start it; the list holds the process that is the server now."""
    return [subprocess.Popen([BIN / "conductor", "serve", "--listen", listen], env=environment)]


def wait_for(address: str) -> None:
    """Wait until the server is ready."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def ask_for_run(server: str, token: str, repository: str) -> None:
    """Ask for the run of a repository's tag."""
    body = json.dumps({"repository": repository, "ref": "run-integration-tests"}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{server}/api/v1/runs", data=body, headers=headers)
    with urllib.request.urlopen(asked, timeout=10):
        return


def watch(server: list[subprocess.Popen[bytes]], environment: Mapping[str, str], listen: str) -> None:
    """Start it anew whenever a file of the source changes, until it is told to end."""
    seen = changed_at()
    while True:
        time.sleep(LOOK_SECONDS)
        if (now := changed_at()) != seen or server[0].poll() is not None:
            say("changed: starting anew ..." if now != seen else "it ended: starting anew ...")
            seen = now
            stop(server)
            server[:] = serve(environment, listen)


def changed_at() -> float:
    """Return when a file of the source was changed last."""
    sources = (ROOT / "src" / "conductor").rglob("*")
    return max(
        path.stat().st_mtime for path in sources if path.suffix in {".py", ".html", ".css", ".js", ".svg"}
    )


def stop(server: list[subprocess.Popen[bytes]]) -> None:
    """End it, within a bound."""
    server[0].terminate()
    try:
        server[0].wait(timeout=25)
    except subprocess.TimeoutExpired:
        server[0].kill()
        server[0].wait()


def say(text: str) -> None:
    """Tell whoever started it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
