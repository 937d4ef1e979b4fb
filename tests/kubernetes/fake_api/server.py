"""The whole fake: started in a test's own event loop on a free port, within milliseconds."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
import yaml

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.api import TOKEN, Api, new_node
from tests.kubernetes.fake_api.containers import Image, Runtime
from tests.kubernetes.fake_api.controllers.cluster import (
    ClaimBinder,
    GarbageCollector,
    NamespaceController,
    QuotaController,
    Scheduler,
)
from tests.kubernetes.fake_api.controllers.jobs import JobController
from tests.kubernetes.fake_api.controllers.loop import Loop
from tests.kubernetes.fake_api.controllers.workloads import (
    DeploymentController,
    ReplicaSetController,
    StatefulSetController,
)
from tests.kubernetes.fake_api.faults import Faults
from tests.kubernetes.fake_api.kinds import NAMESPACES, NODES, STORAGE_CLASSES, Object
from tests.kubernetes.fake_api.kubelet import Kubelet
from tests.kubernetes.fake_api.objects import Asked, Objects
from tests.kubernetes.fake_api.played import Played
from tests.kubernetes.fake_api.store import Store

_CONTROLLERS = (
    NamespaceController, GarbageCollector, Scheduler, ClaimBinder, QuotaController, DeploymentController, ReplicaSetController,
    StatefulSetController, JobController,
)  # fmt: skip
_STARTED = 20.0


class FakeApiServer:
    """An API server with controllers and a node.

    `runtime` runs the containers (`Played` where nothing is said), `images` are on the node. `pace`: real seconds for each second that
    Kubernetes waits by itself (back-offs, probe periods).
    """

    def __init__(
        self,
        folder: Path,
        *,
        runtime: Runtime | None = None,
        images: Mapping[str, Image] | None = None,
        pace: float = 0.05,
        bookmarks: float = 60.0,
        port: int = 0,
        track_owners: bool = True,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store()
        self.objects = Objects(self.store, track_owners=track_owners)
        self.faults = Faults()
        self.kubelet = Kubelet(self.objects, runtime or Played(), folder, images or {}, pace=pace)
        if images is None:
            self.kubelet.any_image = Image()
        self.loop = Loop(self.objects, _CONTROLLERS)
        for controller in self.loop.controllers:
            if isinstance(controller, JobController):
                controller.pace = pace
        self.api = Api(self.objects, self.kubelet, self.faults, bookmarks=bookmarks)
        self._server = _Server(
            uvicorn.Config(
                self.api,
                host="127.0.0.1",
                port=port,
                log_config=None,
                lifespan="off",
                ws="wsproto",
                timeout_graceful_shutdown=1,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    @property
    def kubeconfig(self) -> Path:
        """A file that names this server."""
        return self.folder / "kubeconfig"

    async def __aenter__(self) -> Self:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a cut connection is no news here
        logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
        self._furnish()
        self._serving = asyncio.create_task(self._server.serve())
        async with asyncio.timeout(_STARTED):
            while not self._server.started:  # noqa: ASYNC110 -- uvicorn tells nobody
                await asyncio.sleep(0.005)
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self.url)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.close()
        await self.kubelet.aclose()
        self.api.is_closing.set()
        self._server.should_exit = True
        if self._serving:
            await self._serving

    def _furnish(self) -> None:
        """Put there what every cluster has."""
        self.store.put(NODES, new_node("node-1"))
        for name in ("default", "kube-system"):
            self.objects.create(NAMESPACES, "", {"metadata": {"name": name}}, Asked(manager="kube-apiserver"))
        for name, mode in (("standard", "WaitForFirstConsumer"), ("standard-immediate", "Immediate")):
            self.store.put(STORAGE_CLASSES, _storage_class(name, mode))


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Leave signals to the test."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave signals to the test."""
        return nullcontext()


def _storage_class(name: str, mode: str) -> Object:
    is_default = (
        {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}} if name == "standard" else {}
    )
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": times.now(), **is_default},
        "provisioner": "fake.example/folders",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": mode,
    }


def _kubeconfig(url: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "fake", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": "default"}}
        ],
    }
