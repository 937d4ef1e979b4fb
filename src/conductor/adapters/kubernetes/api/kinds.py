"""The kinds of objects that Conductor deals with, and where an API server has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
"""A Kubernetes object as plain data, as the API server takes and gives it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects: `api` is its version with its group, `plural` its name in addresses and in rights."""

    name: str
    api: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core.

        >>> JOB.group, POD.group
        ('batch', '')
        """
        return self.api.rpartition("/")[0]

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Work out the address of one object, of a part of it (`log`), or of all in a namespace or cluster.

        >>> POD.path("shop", "web", "log"), NAMESPACE.path(name="shop"), JOB.path()
        ('/api/v1/namespaces/shop/pods/web/log', '/api/v1/namespaces/shop', '/apis/batch/v1/jobs')
        """
        root = f"/apis/{self.api}" if self.group else f"/api/{self.api}"
        inside = ("namespaces", namespace) if namespace and self.namespaced else ()
        return "/".join(step for step in (root, *inside, self.plural, name, part) if step)


NAMESPACE = Kind("Namespace", "v1", "namespaces", namespaced=False)
POD = Kind("Pod", "v1", "pods")
SERVICE = Kind("Service", "v1", "services")
CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")
SECRET = Kind("Secret", "v1", "secrets")
EVENT = Kind("Event", "v1", "events")
CLAIM = Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
QUOTA = Kind("ResourceQuota", "v1", "resourcequotas")
LIMIT_RANGE = Kind("LimitRange", "v1", "limitranges")
SERVICE_ACCOUNT = Kind("ServiceAccount", "v1", "serviceaccounts")
NODE = Kind("Node", "v1", "nodes", namespaced=False)
DEPLOYMENT = Kind("Deployment", "apps/v1", "deployments")
STATEFUL_SET = Kind("StatefulSet", "apps/v1", "statefulsets")
REPLICA_SET = Kind("ReplicaSet", "apps/v1", "replicasets")
JOB = Kind("Job", "batch/v1", "jobs")
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
INGRESS = Kind("Ingress", "networking.k8s.io/v1", "ingresses")
HTTP_ROUTE = Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes")
STORAGE_CLASS = Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False)
ROLE_BINDING = Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings")
ACCESS_REVIEW = Kind(
    "SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False
)

_BY_NAME = {
    kind.name: kind
    for kind in (
        NAMESPACE, POD, SERVICE, CONFIG_MAP, SECRET, EVENT, CLAIM, QUOTA, LIMIT_RANGE, SERVICE_ACCOUNT, NODE, DEPLOYMENT,
        STATEFUL_SET, REPLICA_SET, JOB, NETWORK_POLICY, INGRESS, HTTP_ROUTE, STORAGE_CLASS, ROLE_BINDING, ACCESS_REVIEW,
    )
}  # fmt: skip


def kind_of(manifest: Manifest) -> Kind:
    """Return the kind of an object. KeyError for one that Conductor never makes."""
    return _BY_NAME[str(manifest["kind"])]
