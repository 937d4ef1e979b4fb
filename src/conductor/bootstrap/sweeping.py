"""The sweeper that outlives a command: one of a state folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conductor.errors import ConflictError

if TYPE_CHECKING:
    from conductor.settings import Settings


def leave_sweeper(settings: Settings) -> None:
    """Leave a detached process behind that removes what is over and ends with the last lease. One of a state folder is enough."""
    environment = {**os.environ, "CONDUCTOR_STATE": str(settings.state)}
    with (settings.state / "sweeper.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "conductor.cli.main", "sweep", "--until-empty"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )


@contextmanager
def the_only_sweeper(settings: Settings) -> Iterator[None]:
    """Hold the sweeper's lock. ConflictError where another process sweeps this state folder already."""
    with (settings.state / "sweeper.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another sweeper is at work", remedy="It ends with the last lease.") from None
        yield
