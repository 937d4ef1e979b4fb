"""Putting large bound folders into pods that wait for them, while somebody watches.

Law (`manifests.fillings`): a filling may be sent to every pod, and again after it was cut off.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.manifests.files import archive_of
from conductor.adapters.kubernetes.manifests.fillings import Filling
from conductor.adapters.kubernetes.manifests.preparation import PREPARE
from conductor.domain.names import LABEL_WORKLOAD
from conductor.errors import ConductorError
from conductor.ports.engine import Place

FILLINGS = "conductor.dev/fillings"
"""Annotation of what keeps a service: what each of its pods waits for."""
_log = logging.getLogger(__name__)

Send = Callable[[str, str, Sequence[str], bytes], Awaitable[int]]
"""Runs a command in a container of a pod with a standard input: pod, container, command, input -> exit code."""


class Fillers:
    """Fills the pods of one watched namespace, each once."""

    def __init__(self, place: Place, send: Send) -> None:
        self._place = place
        self._send = send
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def see(self, keepers: Iterable[Manifest], pods: Iterable[Manifest]) -> None:
        """Begin to fill every pod that waits and is not being filled."""
        if not self._place.checkout:
            return
        wanted = {_workload(keeper): found for keeper in keepers if (found := _wanted(keeper))}
        for pod in pods:
            uid, fillings = pod["metadata"]["uid"], wanted.get(_workload(pod))
            if fillings and uid not in self._tasks and _waits(pod):
                self._tasks[uid] = asyncio.create_task(self._fill(pod, fillings))

    async def aclose(self) -> None:
        """Let go; what is cut off is sent again by whoever watches next."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _fill(self, pod: Manifest, fillings: Sequence[Filling]) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        try:
            for filling in fillings:
                archive = await asyncio.to_thread(
                    archive_of, self._place.checkout, filling.source, under=filling.under
                )
                code = await self._send(name, filling.container, filling.command, archive)
                if code != 0:
                    _log.warning("filling %s of %s: exit code %s", filling.volume, name, code)
                    self._tasks.pop(uid, None)
        except ConductorError as error:
            _log.info("filling %s: %s", name, error.message)
            self._tasks.pop(uid, None)


def _wanted(keeper: Manifest) -> tuple[Filling, ...]:
    text = (keeper["metadata"].get("annotations") or {}).get(FILLINGS)
    return tuple(Filling(**entry) for entry in json.loads(text)) if text else ()


def _workload(thing: Manifest) -> str:
    return str((thing["metadata"].get("labels") or {}).get(LABEL_WORKLOAD) or "")


def _waits(pod: Manifest) -> bool:
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return any(s.get("name") == PREPARE and "running" in (s.get("state") or {}) for s in statuses)
