"""A stack as Kubernetes objects: pure, in a stable order, with secrets by name only.

`depends_on` is no object: Conductor keeps the order itself, with Compose's meaning, by applying each service when it may start. An engine
applies `foundation` once, then `service_objects` and `job_objects` one by one; `render` is all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conductor.adapters.kubernetes.manifests import network, pods, volumes
from conductor.adapters.kubernetes.manifests.files import Files
from conductor.adapters.kubernetes.manifests.kube_names import kube_name, label_value
from conductor.adapters.kubernetes.manifests.layout import Layout, lay_out
from conductor.adapters.kubernetes.manifests.pods import compose_remarks
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.adapters.kubernetes.manifests.test_job import test_job
from conductor.domain.names import LABEL_INSTANCE, LABEL_KIND, LABEL_RUN, LABEL_WORKLOAD
from conductor.domain.stack import Job, Service, Stack
from conductor.ports.engine import Place

MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_REPOSITORY = "conductor.dev/repo"
LABEL_BRANCH = "conductor.dev/branch"
LABEL_ENVIRONMENT = "conductor.dev/environment"
REPOSITORY = "conductor.dev/repository"
"""The annotation of pods with the repository's name as it is: a label cannot hold a slash."""
_POD_SECURITY = "pod-security.kubernetes.io"


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
    layout = lay_out(stack, jobs, files=files, site=site)
    made = [
        *foundation(place, layout),
        *(each for service in stack.services for each in service_objects(place, layout, service)),
        *(each for job in layout.jobs for each in job_objects(place, layout, job)),
    ]
    return list({_key(each): each for each in made}.values())


def foundation(place: Place, layout: Layout) -> Iterator[Manifest]:
    """Yield what stands before any service: the namespace and its bounds, policies, claims, and a Service for each name."""
    yield namespace(place, layout.site)
    yield from _placed(place, layout.site, _bounds(layout.site))
    yield from _placed(place, layout.site, network.policies(layout.stack, layout.site))
    labels = labels_of(place, layout.site)
    remarks = {
        kube_name(volume.name): compose_remarks(labels=volume.labels) for volume in layout.stack.volumes
    }
    for name, claim in _claims(layout):
        yield _object(place, labels, name, claim, annotations=remarks.get(name))
    yield from _placed(place, layout.site, network.services(layout.stack, layout.site))


def service_objects(place: Place, layout: Layout, service: Service) -> Iterator[Manifest]:
    """Yield what one service consists of, what keeps its pods last. Its image may be another than the layout's."""
    own = _own_labels(place, layout.site, service, "service")
    yield from _placed(place, layout.site, volumes.config_maps(layout, service).items())
    body = _told(place, pods.controller(layout, service, own))
    yield _object(place, own, kube_name(service.name), body)


def job_objects(place: Place, layout: Layout, job: Job) -> Iterator[Manifest]:
    """Yield what one job of the layout consists of, the Job last."""
    own = _own_labels(place, layout.site, job.workload, "job")
    yield from _placed(place, layout.site, volumes.config_maps(layout, job.workload).items())
    template = pods.template(layout, job.workload, own, restart="Never", findable=False)
    body = _told(place, test_job(job, template, tools_image=layout.site.tools_image))
    yield _object(place, own, kube_name(job.workload.name), body)


def namespace(place: Place, site: Site) -> Manifest:
    """Make the namespace of a run: `baseline` is enforced, `restricted` warned of."""
    levels = {"enforce": "baseline", "warn": "restricted"}
    security = {f"{_POD_SECURITY}/{mode}": level for mode, level in levels.items()}
    security |= {f"{_POD_SECURITY}/{mode}-version": site.pod_security_version for mode in levels}
    labels = {**labels_of(place, site), **security}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace, "labels": labels}}


def labels_of(place: Place, site: Site) -> dict[str, str]:
    """Return the labels of everything in a namespace, and of itself."""
    made = {
        MANAGED_BY: "conductor",
        LABEL_INSTANCE: label_value(site.instance),
        LABEL_RUN: label_value(place.run),
    }
    origin = {
        LABEL_REPOSITORY: place.repository,
        LABEL_BRANCH: place.branch,
        LABEL_ENVIRONMENT: place.environment,
    }
    return made | {label: label_value(text) for label, text in origin.items() if text}


def _own_labels(place: Place, site: Site, service: Service, kind: str) -> dict[str, str]:
    return {**labels_of(place, site), LABEL_WORKLOAD: kube_name(service.name), LABEL_KIND: kind}


def _told(place: Place, body: dict[str, Any]) -> Manifest:
    """Let the pods say of which repository they are, for whoever collects their logs."""
    if place.repository:
        body["spec"]["template"]["metadata"].setdefault("annotations", {})[REPOSITORY] = place.repository
    return body


def _placed(place: Place, site: Site, named: Iterable[tuple[str, Manifest]]) -> Iterator[Manifest]:
    for name, body in named:
        yield _object(place, labels_of(place, site), name, body)


def _object(
    place: Place,
    labels: Mapping[str, str],
    name: str,
    body: Manifest,
    *,
    annotations: Manifest | None = None,
) -> Manifest:
    metadata: Manifest = {"name": name, "namespace": place.namespace, "labels": dict(labels)}
    metadata |= {"annotations": annotations} if annotations else {}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, **body}


def _key(manifest: Mapping[str, object]) -> tuple[object, object]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["name"] if isinstance(metadata, dict) else None


def _bounds(site: Site) -> Iterator[tuple[str, Manifest]]:
    defaults = {
        "type": "Container",
        "default": dict(site.default_limits),
        "defaultRequest": dict(site.default_requests),
    }
    yield "defaults", {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [defaults]}}
    yield "quota", {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": dict(site.quota)}}


def _claims(layout: Layout) -> Iterator[tuple[str, Manifest]]:
    """Yield a claim for each named volume, and for each folder of the repository that several services write to."""
    declared = [kube_name(volume.name) for volume in layout.stack.volumes]
    mounted = [name for service in layout.workloads for name in layout.claims(service)]
    storage = {"storageClassName": layout.site.storage_class} if layout.site.storage_class else {}
    for name in dict.fromkeys((*declared, *mounted)):
        spec: Manifest = {
            "accessModes": [layout.site.access_mode],
            **storage,
            "resources": {"requests": {"storage": layout.site.volume_size}},
        }
        yield name, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
