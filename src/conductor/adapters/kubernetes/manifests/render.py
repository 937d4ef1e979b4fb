"""A stack as Kubernetes objects: pure, in a stable order, with secrets by name only.

`depends_on` is no object: Conductor keeps the order itself, with Compose's meaning, by applying each service when it may start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conductor.adapters.kubernetes.manifests import network, pods, volumes
from conductor.adapters.kubernetes.manifests.kube_names import config_name, kube_name
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.adapters.kubernetes.manifests.volumes import Files
from conductor.domain.names import LABEL_INSTANCE, LABEL_KIND, LABEL_RUN, LABEL_WORKLOAD
from conductor.domain.stack import Job, Service, Stack
from conductor.ports.engine import Place

MANAGED_BY = "app.kubernetes.io/managed-by"
_ENFORCE, _WARN = "pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn"


def render(
    place: Place,
    stack: Stack,
    jobs: Sequence[Job] = (),
    *,
    files: Files | None = None,
    site: Site | None = None,
) -> Sequence[Mapping[str, object]]:
    """Return every object of a run's namespace, in the order in which they are applied.

    `files` are those of the checkout that the stack mounts. What cannot be carried is listed by `unsupported`, not here.
    """
    site, files = site or Site(), files or {}
    labels = _labels(place, site)
    inside = _Inside(place.namespace, labels)
    return [
        namespace(place, site),
        *_bounds(inside, site),
        *(inside.object(name, policy) for name, policy in network.policies(stack, site)),
        *(_claim(inside, volume.name, site) for volume in stack.volumes),
        *(inside.object(name, service) for name, service in network.services(stack)),
        *(made for service in stack.services for made in _workload(inside, service, files)),
        *(made for job in jobs for made in _job(inside, job, files)),
    ]


def namespace(place: Place, site: Site) -> Manifest:
    """Make the namespace of a run: `baseline` is enforced, `restricted` warned of."""
    labels = {**_labels(place, site), _ENFORCE: "baseline", _WARN: "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace, "labels": labels}}


class _Inside:
    """Puts objects into the namespace, with its labels."""

    def __init__(self, name: str, labels: Mapping[str, str]) -> None:
        self._name = name
        self.labels = labels

    def object(self, name: str, body: Manifest, **labels: str) -> Manifest:
        """Return the body with name, namespace and labels."""
        metadata = {"name": name, "namespace": self._name, "labels": {**self.labels, **labels}}
        return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, **body}


def _labels(place: Place, site: Site) -> dict[str, str]:
    return {MANAGED_BY: "conductor", LABEL_INSTANCE: site.instance, LABEL_RUN: place.run}


def _bounds(inside: _Inside, site: Site) -> Iterator[Manifest]:
    defaults = {
        "type": "Container",
        "default": dict(site.default_limits),
        "defaultRequest": dict(site.default_requests),
    }
    yield inside.object(
        "defaults", {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [defaults]}}
    )
    yield inside.object(
        "quota", {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": dict(site.quota)}}
    )


def _claim(inside: _Inside, name: str, site: Site) -> Manifest:
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": site.volume_size}},
    }
    return inside.object(kube_name(name), {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec})


def _workload(inside: _Inside, service: Service, files: Files) -> Iterator[Manifest]:
    name = kube_name(service.name)
    own = {LABEL_WORKLOAD: name, LABEL_KIND: "service"}
    yield from _config(inside, service, files)
    yield inside.object(name, pods.controller(service, {**inside.labels, **own}, files), **own)


def _job(inside: _Inside, job: Job, files: Files) -> Iterator[Manifest]:
    name = kube_name(job.workload.name)
    own = {LABEL_WORKLOAD: name, LABEL_KIND: "job"}
    yield from _config(inside, job.workload, files)
    yield inside.object(name, pods.test_job(job, {**inside.labels, **own}, files), **own)


def _config(inside: _Inside, service: Service, files: Files) -> Iterator[Manifest]:
    if body := volumes.config_map(service, files):
        yield inside.object(config_name(service.name), body)
