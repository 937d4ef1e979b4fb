"""What an installation decides for every namespace that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DEFAULT_CPUS = 2.0
DEFAULT_MEMORY_BYTES = 1024**3
"""Limits of a container whose file names none."""

PULL_SECRET = "conductor-pull"  # noqa: S105 -- a name
"""The Secret that Conductor makes in each namespace of a run, with the registry's account for pulling."""

Manifest = dict[str, object]
"""A Kubernetes object, or a part of one, as plain data."""

Egress = Literal["allow", "cluster", "deny"] | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """How services of stacks get addresses of their own."""

    domain: str
    key: str = field(default="", repr=False)
    """What the tokens of stacks are worked out from; without it there are no addresses."""
    scheme: Literal["http", "https"] = "https"
    """How visitors reach the ingress."""
    ingress_class: str = ""
    """The cluster's default, where empty."""
    gateway: str = ""
    """`namespace/name` of a Gateway: addresses are HTTPRoutes then."""
    namespaces: tuple[str, ...] = ()
    """The ingress's: they reach the gates and nothing else. The site's callers, where empty."""
    image: str = "docker.io/w3evolutionsllc/conductor:latest"
    """Conductor's own, which is the gate too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Writer:
    """Who brings secrets where Conductor has none itself: the service account of a runner, and the role that it gets meanwhile."""

    namespace: str
    account: str
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """`instance` keeps two Conductors on one cluster apart."""

    instance: str = "conductor"
    egress: Egress = "allow"
    """What pods reach outside of their namespace: everything but link-local addresses (where clouds keep their credentials), the
    cluster's pods alone, nothing, or these networks (CIDR)."""
    role: str = ""
    """ClusterRole that Conductor gives itself in each namespace that it makes; empty where it has its rights everywhere."""
    callers: tuple[str, ...] = ()
    """Namespaces that may call in: the monitoring's and the ingress's."""
    name_servers: tuple[str, ...] = ("kube-system",)
    """Namespaces in which the cluster's name servers are."""
    pod_security_version: str = "latest"
    """Of the Pod Security rules: `latest`, or `v1.36`."""
    pull_secrets: tuple[str, ...] = ()
    """Secrets in a run's namespace with which images are pulled."""
    tools_image: str = "docker.io/w3evolutionsllc/conductor-tools:1"
    """Conductor's own (`deploy/tools`): its static busybox prepares what pods mount, its scripts collect what tests leave."""
    storage_class: str = ""
    """The cluster's default, where empty."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    """With `ReadWriteOnce`, pods that share a volume are kept on one node; `ReadWriteMany` lets them go where they like."""
    dual_stack: bool = False
    """Whether the cluster gives pods addresses of both kinds."""
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
    addresses: Addresses | None = None
    """None where services have none."""
    writer: Writer | None = None
    """None where Conductor makes the Secrets of workloads itself, of values that it has."""
    volume_size: str = "1Gi"
    """What a named volume asks for: Compose files do not say."""
