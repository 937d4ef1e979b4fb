"""The resources that are served, and where an API server has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as plain data."""

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects. `schema` is the name of its definition in the published schemas."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    parts: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    package: str = ""

    @property
    def api(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """`pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def schema(self) -> str:
        package = self.package or self.group.partition(".")[0] or "core"
        return f"io.k8s.api.{package}.{self.version}.{self.kind}"

    def described(self) -> list[Object]:
        """Describe it, and its parts, for discovery."""
        shared = {"namespaced": self.namespaced, "kind": self.kind}
        short = {"shortNames": list(self.short)} if self.short else {}
        own = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            **shared,
            "verbs": list(_VERBS),
            **short,
        }
        return [
            own,
            *(
                {"name": f"{self.plural}/{p}", "singularName": "", **shared, "verbs": _part_verbs(p)}
                for p in self.parts
            ),
        ]


def _part_verbs(part: str) -> list[str]:
    special = {
        "log": ["get"],
        "exec": ["create", "get"],
        "attach": ["create", "get"],
        "portforward": ["create", "get"],
    }
    return special.get(
        part, ["create"] if part in ("eviction", "binding", "token") else ["get", "patch", "update"]
    )


_STATUS = ("status",)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, ("status", "finalize"), ("ns",))
PODS = Resource(
    "",
    "v1",
    "pods",
    "Pod",
    parts=("status", "log", "exec", "attach", "portforward", "eviction"),
    short=("po",),
)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", short=("cm",))
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICES = Resource("", "v1", "services", "Service", parts=_STATUS, short=("svc",))
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", parts=_STATUS, short=("pvc",))
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",))
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", parts=_STATUS, short=("quota",))
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange", short=("limits",))
EVENTS = Resource("", "v1", "events", "Event", short=("ev",))
NODES = Resource("", "v1", "nodes", "Node", False, _STATUS, ("no",))
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", parts=_STATUS, short=("deploy",))
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", parts=_STATUS, short=("rs",))
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", parts=_STATUS, short=("sts",))
JOBS = Resource("batch", "v1", "jobs", "Job", parts=_STATUS)
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short=("netpol",))
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", parts=_STATUS, short=("ing",))
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, (), ("sc",))
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
INGRESS_CLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", False)

RESOURCES = (
    NAMESPACES, PODS, CONFIG_MAPS, SECRETS, SERVICES, CLAIMS, SERVICE_ACCOUNTS, QUOTAS, LIMIT_RANGES, EVENTS, NODES, DEPLOYMENTS,
    REPLICA_SETS, STATEFUL_SETS, JOBS, NETWORK_POLICIES, INGRESSES, INGRESS_CLASSES, ROLES, ROLE_BINDINGS, CLUSTER_ROLES,
    STORAGE_CLASSES, LEASES,
)  # fmt: skip
BY_ADDRESS = {(r.group, r.version, r.plural): r for r in RESOURCES}
BY_KIND = {(r.api, r.kind): r for r in RESOURCES}


def names(thing: Object) -> tuple[str, str]:
    """Return namespace and name."""
    metadata = thing["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def owner(thing: Object) -> Object | None:
    """Return the reference to what controls it."""
    references = thing["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller")), None)
