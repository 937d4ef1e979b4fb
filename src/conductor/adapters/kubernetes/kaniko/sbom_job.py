"""One SBOM as a Job: pure.

Syft pulls the image by its digest and writes what it finds on standard output, one line of the container's log. It runs
nothing of the image, has no rights, and of the registry's accounts the one that pulls.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from conductor.adapters.kubernetes.kaniko.place import labels_of, namespace_of
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.domain.names import LABEL_KIND
from conductor.ports.registry import Credentials

CONTAINER = "sbom"
TIME_LIMIT_SECONDS = 600
_KEEP_SECONDS = 600
"""So long one stays that nobody has read."""
_CREDENTIALS = "/credentials"
_CA = "/trusted"
_TMP = "/tmp"  # noqa: S108 -- in a container


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One SBOM that is to be made."""

    image: str
    """`NAME@sha256:...`."""
    tool: str
    """The image of Syft."""
    credentials: Credentials | None = field(repr=False)


def job_name(image: str) -> str:
    """Name the Job of an image: the same for a repeat."""
    return f"sbom-{hashlib.sha256(image.encode()).hexdigest()[:16]}"


def job(wanted: Wanted, *, site: Site, kaniko: KanikoSite) -> Manifest:
    """Make the Job, suspended: what it mounts is made its own before its pod asks for it."""
    labels = {**labels_of(site), LABEL_KIND: "sbom"}
    name = job_name(wanted.image)
    pod: Manifest = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": TIME_LIMIT_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
        "containers": [_container(wanted, kaniko)],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *_volumes(wanted, name, kaniko)],
    }
    spec: Manifest = {
        "suspend": True,
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": _KEEP_SECONDS,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    metadata = {"name": name, "namespace": namespace_of(site, kaniko), "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def owned(wanted: Wanted, owner: Manifest, *, site: Site, kaniko: KanikoSite) -> Iterator[Manifest]:
    """Yield the Secret and the ConfigMap of a Job; `owner` is the Job's metadata as the API server gave it."""
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": owner["name"], "uid": owner["uid"]}
    metadata: Manifest = {
        "name": owner["name"],
        "namespace": namespace_of(site, kaniko),
        "labels": labels_of(site),
        "ownerReferences": [reference],
    }
    shared = {"apiVersion": "v1", "metadata": metadata}
    if wanted.credentials:
        told = json.dumps(wanted.credentials.docker_config()).encode()
        yield {
            **shared,
            "kind": "Secret",
            "data": {"config.json": base64.b64encode(told).decode()},
        }
    if kaniko.ca:
        yield {**shared, "kind": "ConfigMap", "data": {"ca.crt": kaniko.ca}}


def _container(wanted: Wanted, kaniko: KanikoSite) -> Manifest:
    return {
        "name": CONTAINER,
        "image": wanted.tool,
        "imagePullPolicy": "IfNotPresent",
        "args": ["scan", f"registry:{wanted.image}", "--output", "cyclonedx-json"],
        "env": [{"name": name, "value": value} for name, value in _environment(wanted, kaniko)],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": _TMP}, *_mounts(wanted, kaniko)],
    }


def _environment(wanted: Wanted, kaniko: KanikoSite) -> Iterator[tuple[str, str]]:
    yield from (("HOME", _TMP), ("SYFT_CHECK_FOR_APP_UPDATE", "false"), ("NO_COLOR", "1"))
    host = wanted.image.partition("/")[0]
    if host in kaniko.insecure:
        yield ("SYFT_REGISTRY_INSECURE_USE_HTTP", "true")
    if host in kaniko.unverified:
        yield ("SYFT_REGISTRY_INSECURE_SKIP_TLS_VERIFY", "true")
    if wanted.credentials:
        yield ("DOCKER_CONFIG", _CREDENTIALS)
    if kaniko.ca:
        yield ("SSL_CERT_DIR", f"/etc/ssl/certs:{_CA}")


def _mounts(wanted: Wanted, kaniko: KanikoSite) -> Iterator[Manifest]:
    if wanted.credentials:
        yield {"name": "credentials", "mountPath": _CREDENTIALS, "readOnly": True}
    if kaniko.ca:
        yield {"name": "trusted", "mountPath": _CA, "readOnly": True}


def _volumes(wanted: Wanted, name: str, kaniko: KanikoSite) -> Iterator[Manifest]:
    if wanted.credentials:
        yield {"name": "credentials", "secret": {"secretName": name}}
    if kaniko.ca:
        yield {"name": "trusted", "configMap": {"name": name}}
