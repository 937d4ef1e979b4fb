"""A server of the product under test, as an operator starts it: a process with a state folder, a folder of bare repositories, a token."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.shop import conductor

LIMIT_SECONDS = 240
MOST_TRIES = 200
_LISTENING = re.compile(r"listening on (http://\S+)")


@dataclass(frozen=True)
class Site:
    """Where a server keeps things, before and between its processes."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def repositories(self) -> Path:
        return self.folder / "repositories"

    @property
    def secret_file(self) -> Path:
        return self.folder / "secret"

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Carry a command out beside the server, to its end."""
        return subprocess.run(
            [*conductor(), *arguments],
            env={**self.environment, **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def until(self, is_so: Callable[[], bool]) -> None:
        """Ask again and again, at most as often as takes minutes: each asking is a process of its own."""
        for _ in range(MOST_TRIES):
            if is_so():
                return
        raise AssertionError(f"it never came about: {(self.folder / 'serve.log').read_text()}")

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout + done.stderr


def prepared(folder: Path, *, engine: str, **settings: str) -> Site:
    """Make the folders and settings of a server of bare repositories."""
    (folder / "repositories").mkdir(parents=True)
    secret = "what hooks sign with, and nobody else knows"
    (folder / "secret").write_text(secret)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")},
        "CONDUCTOR_STATE": str(folder / "state"),
        "CONDUCTOR_ENGINE": engine,
        "CONDUCTOR_REPOSITORIES": str(folder / "repositories"),
        "CONDUCTOR_FOLDER_SECRET": secret,
        "CONDUCTOR_ALLOW": "*",
        "CONDUCTOR_RECONCILE_SECONDS": "10",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "shop",
        "GIT_AUTHOR_EMAIL": "shop@example.org",
        "GIT_COMMITTER_NAME": "shop",
        "GIT_COMMITTER_EMAIL": "shop@example.org",
        **settings,
    }
    return Site(folder, environment)


@contextmanager
def left_clean(site: Site) -> Iterator[None]:
    """Remove what the server kept, however the block ends."""
    try:
        yield
    finally:
        deleted = site.command("stacks", "delete", "--all")
        assert deleted.returncode == 0, deleted.stderr


@contextmanager
def serving(site: Site, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `conductor serve` on a free port; gives the process and its address, and stops it like an operator does."""
    command: Sequence[str] = [*conductor(), "serve", "--listen", "127.0.0.1:0", *arguments]
    with (site.folder / "serve.log").open("a+") as log:
        process = subprocess.Popen(
            command,
            env=dict(site.environment),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=site.folder,
        )
        try:
            yield process, _address(process, site.folder / "serve.log")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                assert process.stdout is not None
                process.stdout.close()
                sys.stderr.write((site.folder / "serve.log").read_text()[-4000:])


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _LISTENING.search(line):
            return found.group(1)
    raise AssertionError(f"the server ended before it listened: {log.read_text()}")
