"""Postgres to test with: Debian's, started by the tests in a folder of its own, on a socket that nobody else finds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_USER = "postgres"
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "300",
    "listen_addresses": "",
}
"""Nothing of it has to outlive the tests."""
_BOUND_SECONDS = 60


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Where a server's databases are made: the one that CONDUCTOR_TEST_POSTGRES names, or one of this machine's own."""
    with started() as url:
        if url is None:
            pytest.skip(
                "no Postgres on this machine: install Debian's postgresql, or set CONDUCTOR_TEST_POSTGRES"
            )
        yield url


@contextmanager
def started() -> Iterator[str | None]:
    """Have a server for as long as the block lasts; None where this machine has no Postgres."""
    binaries = _binaries()
    if (named := os.environ.get("CONDUCTOR_TEST_POSTGRES")) or binaries is None:
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="conductor-postgres-"))
    try:
        yield from _served(binaries, folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield _with_database(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _with_database(server: str, name: str) -> str:
    """Name another database of the same server."""
    beginning, _, query = server.partition("?")
    whole = f"{beginning.rpartition('/')[0]}/{name}"
    return f"{whole}?{query}" if query else whole


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _served(binaries: Path, folder: Path) -> Iterator[str]:
    """Serve from that folder: as a user of its own where the tests are root's, since Postgres refuses to be."""
    user = _unprivileged() if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    as_user = ["-D", data, "-U", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run([binaries / "initdb", *as_user], user=user, cwd=folder, check=True, capture_output=True)
    options = [word for name, value in _FAST.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *options],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    url = f"postgresql://{_USER}@/postgres?host={folder}"
    try:
        _await_answer(server, url, folder / "log")
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # what is connected still is thrown out
        server.wait(_BOUND_SECONDS)


def _unprivileged() -> str:
    """Name a user of this machine that may do nothing."""
    known = subprocess.run(["getent", "passwd", _USER], capture_output=True, check=False).returncode == 0
    return _USER if known else "nobody"


def _await_answer(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _BOUND_SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"Postgres did not start: {log.read_text(errors='replace')}")
