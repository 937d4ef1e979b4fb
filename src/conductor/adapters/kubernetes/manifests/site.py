"""What an installation decides for every namespace that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_CPUS = 2.0
DEFAULT_MEMORY_BYTES = 1024**3
"""Limits of a container whose file names none."""

Manifest = dict[str, object]
"""A Kubernetes object, or a part of one, as plain data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """`instance` keeps two Conductors on one cluster apart."""

    instance: str = "conductor"
    egress: bool = True
    """Whether pods may reach what is outside of their namespace."""
    callers: tuple[str, ...] = ()
    """Namespaces that may call in: the monitoring's and the ingress's."""
    default_limits: Mapping[str, str] = field(
        default_factory=lambda: {"cpu": f"{DEFAULT_CPUS:g}", "memory": str(DEFAULT_MEMORY_BYTES)}
    )
    default_requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "50m", "memory": "64Mi"})
    quota: Mapping[str, str] = field(
        default_factory=lambda: {
            "pods": "60",
            "requests.cpu": "8",
            "requests.memory": "16Gi",
            "limits.memory": "48Gi",
            "persistentvolumeclaims": "30",
            "services.loadbalancers": "0",
            "services.nodeports": "0",
        }
    )
    volume_size: str = "1Gi"
    """What a named volume asks for: Compose files do not say."""
