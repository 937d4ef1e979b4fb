"""What pods use, as the cluster's resource metrics API says (`metrics.k8s.io`), where there is one and Conductor's account may ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import Kind
from conductor.adapters.kubernetes.api.problems import ForbiddenError
from conductor.domain.cost import quantity
from conductor.domain.names import LABEL_WORKLOAD
from conductor.errors import NotFoundError
from conductor.ports.usage import Used

POD_METRICS = Kind("PodMetrics", "metrics.k8s.io/v1beta1", "pods")


NOT_AGAIN = timedelta(minutes=5)
"""For so long a cluster that cannot or may not tell is left alone."""


class ResourceMetrics:
    """Asks one cluster."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._next = float("-inf")

    async def usage(self, client: Client, namespace: str) -> Mapping[str, Used]:
        """Measure each workload. Empty where the cluster has no metrics server, or the right to ask it was not given."""
        if self._now() < self._next:
            return {}
        try:
            listing = await client.list(POD_METRICS, namespace)
        except (NotFoundError, ForbiddenError):
            self._next = self._now() + NOT_AGAIN.total_seconds()
            return {}
        total: dict[str, Used] = {}
        for pod in listing.items:
            labels = pod["metadata"].get("labels") or {}
            workload = str(labels.get(LABEL_WORKLOAD) or pod["metadata"]["name"])
            total[workload] = sum(map(_used, pod.get("containers") or ()), total.get(workload, Used()))
        return total


def _used(container: Mapping[str, Any]) -> Used:
    """Read one container's figures.

    >>> _used({"name": "web", "usage": {"cpu": "250000000n", "memory": "64Mi"}})
    Used(cpu_cores=0.25, memory_bytes=67108864)
    """
    said = container.get("usage") or {}
    return Used(
        cpu_cores=_cores(str(said.get("cpu", "0"))), memory_bytes=int(quantity(str(said.get("memory", "0"))))
    )


def _cores(text: str) -> float:
    small = {"n": 1e-9, "u": 1e-6}.get(text[-1:])
    return float(text[:-1]) * small if small else quantity(text)
