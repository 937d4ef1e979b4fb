"""The fake API server in a process of its own: `python -m tests.kubernetes.fake_api FOLDER [SECONDS_PER_SECOND]`.

It writes a kubeconfig into the folder, and at its end (SIGTERM) `figures.json`: when the first pod of each namespace was made (seconds
since 1970) and what was asked for.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from tests.kubernetes.fake_api.kinds import PODS
from tests.kubernetes.fake_api.server import FakeApiServer
from tests.kubernetes.fake_api.store import Event
from tests.kubernetes.fake_api.suites import PlayedSuites


async def main(folder: Path, pace: float) -> None:
    first: dict[str, float] = {}

    def notice(event: Event) -> None:
        if event.resource is PODS and event.type == "ADDED":
            first.setdefault(event.now["metadata"]["namespace"], time.time())

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with FakeApiServer(folder, runtime=PlayedSuites(), pace=pace, track_owners=False) as server:
        server.store.listeners.append(notice)
        await ended.wait()
        asked = {f"{verb} {resource}": count for (verb, resource), count in server.faults.asked.items()}
        figures = {"first_pods": first, "asked": asked, "writes_stored": server.store.writes}
        (folder / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.05))
