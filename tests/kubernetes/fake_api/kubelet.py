"""The kubelet of the only node: runs the containers of the pods that are given to it, and says how they are.

`pace` is how many real seconds a second lasts of what Kubernetes waits for by itself (back-offs, probes); what an object asks for in
wall-clock seconds (grace, deadlines) is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from tests.kubernetes.fake_api.containers import Image, Runtime
from tests.kubernetes.fake_api.kinds import PODS, Object
from tests.kubernetes.fake_api.objects import Objects
from tests.kubernetes.fake_api.pod_status import with_condition
from tests.kubernetes.fake_api.pod_worker import PodWorker
from tests.kubernetes.fake_api.store import Event

_log = logging.getLogger(__name__)


class Kubelet:
    def __init__(
        self, objects: Objects, runtime: Runtime, folder: Path, images: Mapping[str, Image], *, pace: float
    ) -> None:
        self.objects = objects
        self.runtime = runtime
        self.folder = folder
        self.images = dict(images)
        self.any_image: Image | None = None
        """Taken for every name that is not in `images`, where set."""
        self.pace = pace
        self.workers: dict[str, PodWorker] = {}
        self.is_lost = False
        self._tasks: set[asyncio.Task[None]] = set()
        objects.store.listeners.append(self._notice)

    def image(self, name: str) -> Image | None:
        """Return the image that is on the node under a name, or None."""
        return self.images.get(name) or self.images.get(_full(name)) or self.any_image

    def worker(self, pod: Object) -> PodWorker | None:
        return self.workers.get(pod["metadata"]["uid"])

    def evict(self, namespace: str, name: str, message: str) -> None:
        """Take a pod away as a node does that runs out of something."""
        worker = self.worker(self.objects.get(PODS, namespace, name))
        assert worker is not None
        worker.end("Evicted", message)

    def out_of_memory(self, namespace: str, name: str, container: str) -> None:
        """End a container as the kernel does that finds no memory for it."""
        worker = self.worker(self.objects.get(PODS, namespace, name))
        assert worker is not None
        worker.out_of_memory(container)

    def lose_node(self) -> None:
        """Fall silent, and let the cluster give the node up: what is asked of its pods from now on is heard by nobody."""
        self.is_lost = True
        for worker in self.workers.values():
            conditions = (worker.pod.get("status") or {}).get("conditions") or ()
            unready = with_condition(conditions, "Ready", "", "", holds=False)
            worker.pod = self.objects.status(PODS, worker.pod, conditions=unready)
            worker.record("NodeNotReady", "Node is not ready", warning=True)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _notice(self, event: Event) -> None:
        if event.resource is not PODS or (self.is_lost and event.type != "DELETED"):
            return
        pod = event.now
        uid = pod["metadata"]["uid"]
        if event.type == "DELETED":
            if worker := self.workers.pop(uid, None):
                worker.gone()
        elif worker := self.workers.get(uid):
            worker.saw(pod)
        elif pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") not in (
            "Succeeded",
            "Failed",
        ):
            self._take(pod)

    def _take(self, pod: Object) -> None:
        worker = PodWorker(self, pod)
        self.workers[pod["metadata"]["uid"]] = worker
        task = asyncio.get_running_loop().create_task(worker.live())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            _log.error("a pod's worker failed", exc_info=task.exception())


def _full(name: str) -> str:
    """Write an image's name in full, as the node knows it."""
    first = name.partition("/")[0]
    if "/" not in name:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"
