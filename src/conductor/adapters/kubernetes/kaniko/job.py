"""One build as a Job: pure.

    narrow grant     one container, Kaniko, which pushes: what it may push to is the repository's own
    any other        Kaniko as an init container writes the image into a volume and has no credentials for pushing; a second container
                     pushes it, and runs nothing of the repository

Law: the credentials are in one Secret that this Job owns and only its pod mounts. The time limit stands on the pod, since a Job's would
delete it with its log. A pod that the cluster takes away is made again; one that fails is not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from conductor.adapters.kubernetes.kaniko.place import labels_of, namespace_of
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.kube_names import label_value
from conductor.adapters.kubernetes.manifests.render import LABEL_REPOSITORY
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.domain.names import LABEL_KEY, LABEL_KIND, LABEL_RUN, LABEL_WORKLOAD, slug
from conductor.ports.builder import BuildOrder
from conductor.ports.registry import PushGrant

BUILD, PUSH = "build", "push"
"""The containers."""
SENT = "tar://stdin"
TOLD = "conductor.dev/told"
"""An annotation: the outcome of this Job was handed on."""
READ_UNTIL = "conductor.dev/read-until"
"""An annotation: the log was handed on up to this time."""
GRANT = "conductor.dev/grant"
"""An annotation: `held` until the grant was taken back."""
REPOSITORY = "conductor.dev/repository"
"""An annotation: whose grant it is, as people name it."""
_HOME = "/kaniko"
_TAR = f"{_HOME}/image/image.tar"
_DIGEST_FILE = "/dev/termination-log"
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
    "SYS_CHROOT",
)  # fmt: skip
"""What `docker build` gives, without raw sockets and audit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One build, with all that its Job says."""

    order: BuildOrder
    reference: str
    cache: str
    dockerfile_path: str
    """Relative to the context."""
    fetches: bool
    """The cluster fetches the commit by itself; otherwise the context is sent."""
    grant: PushGrant
    token: str
    """Tells the Secret of this try from those of earlier ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachments:
    """What the pod mounts besides, by the keys of its Secret and ConfigMap."""

    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values by key, not encoded."""
    config: Mapping[str, str] = field(default_factory=dict)


def job_name(order: BuildOrder) -> str:
    """Name the Job of an order: the same for a repeat, and for no other order."""
    told = f"{order.run}\0{order.name}\0{order.key}"
    made = hashlib.sha256(told.encode()).hexdigest()[:10]
    return f"build-{slug(order.run, length=21)}-{slug(order.name, length=18)}-{made}"


def credentials_name(job: str, token: str) -> str:
    """Name the Secret of a Job's try, and the ConfigMap with what it trusts."""
    return f"{job}-{token}"


def labels(order: BuildOrder, site: Site) -> dict[str, str]:
    """Return the labels of a build's objects."""
    return {
        **labels_of(site),
        LABEL_RUN: label_value(order.run),
        LABEL_REPOSITORY: label_value(order.repository),
        LABEL_WORKLOAD: label_value(order.name),
        LABEL_KIND: "build",
        LABEL_KEY: order.key[:63],
    }


def attachments(wanted: Order, kaniko: KanikoSite) -> Attachments:
    """Work out what the pod mounts. Everything secret is in `secret`."""
    pulls = dict(kaniko.pulls)
    pushes = _auths(wanted.grant)
    secret: dict[str, str] = {}
    if wanted.grant.narrow and (pulls or pushes):
        secret["build.json"] = _docker_config({**pulls, **pushes})
    if not wanted.grant.narrow:
        secret |= {"build.json": _docker_config(pulls)} if pulls else {}
        secret |= {"push.json": _docker_config(pushes)} if pushes else {}
    if _sends_token(wanted, kaniko) and kaniko.git:
        secret |= {"git-username": kaniko.git.username, "git-password": kaniko.git.token}
    return Attachments(secret=secret, config={"ca.crt": kaniko.ca} if kaniko.ca else {})


def job(wanted: Order, *, site: Site, kaniko: KanikoSite) -> Manifest:
    """Make the Job. It is made suspended, so that its Secret can be made its own before the pod asks for it."""
    name, marks = job_name(wanted.order), labels(wanted.order, site)
    attached = attachments(wanted, kaniko)
    metadata: Manifest = {
        "name": name,
        "namespace": namespace_of(site, kaniko),
        "labels": marks,
        "annotations": {GRANT: "held", REPOSITORY: wanted.order.repository},
    }
    taken_away = {"type": "DisruptionTarget", "status": "True"}
    spec: Manifest = {
        "suspend": True,
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": math.ceil(kaniko.keep.total_seconds()),
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [taken_away]}]},
        "template": {"metadata": {"labels": dict(marks)}, "spec": _pod(wanted, attached, name, kaniko)},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def owned(
    wanted: Order, owner: Mapping[str, object], *, site: Site, kaniko: KanikoSite
) -> Iterator[Manifest]:
    """Yield the Secret and the ConfigMap of a Job; `owner` is the Job's metadata as the API server gave it."""
    attached = attachments(wanted, kaniko)
    metadata: Manifest = {
        "name": credentials_name(str(owner["name"]), wanted.token),
        "namespace": namespace_of(site, kaniko),
        "labels": labels(wanted.order, site),
        "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": owner["name"], "uid": owner["uid"]}
        ],
    }
    if attached.secret:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in attached.secret.items()}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "immutable": True, "data": data}
    if attached.config:
        config = dict(attached.config)
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "immutable": True,
            "data": config,
        }


def is_sent(job: Manifest) -> bool:
    """Tell whether a Job waits for its context on standard input."""
    return any(container.get("stdin") for container in _containers(job))


def pushes_apart(job: Manifest) -> bool:
    """Tell whether a second container pushes."""
    return any(container["name"] == PUSH for container in _containers(job))


def _containers(job: Manifest) -> list[Manifest]:
    spec = job["spec"]["template"]["spec"]  # type: ignore[index]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def _pod(wanted: Order, attached: Attachments, name: str, kaniko: KanikoSite) -> Manifest:
    apart = not wanted.grant.narrow
    build = _build_container(wanted, attached, name, kaniko)
    pod: Manifest = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": math.ceil(kaniko.time_limit.total_seconds()),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        **({"initContainers": [build]} if apart else {}),
        "containers": [_push_container(wanted, attached, kaniko) if apart else build],
        "volumes": list(_volumes(wanted, attached, name)),
    }
    return pod


def _build_container(wanted: Order, attached: Attachments, name: str, kaniko: KanikoSite) -> Manifest:
    return {
        "name": BUILD,
        "image": kaniko.image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(_arguments(wanted, kaniko)),
        "env": list(_environment(wanted, attached, name)),
        **({} if wanted.fetches else {"stdin": True, "stdinOnce": True}),
        "resources": {"requests": dict(kaniko.requests), "limits": dict(kaniko.limits)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": list(_CAPABILITIES)},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": list(_mounts(attached, "build.json", apart=not wanted.grant.narrow)),
    }


def _push_container(wanted: Order, attached: Attachments, kaniko: KanikoSite) -> Manifest:
    """Make the container that pushes what was built. Kaniko's image has the command; it needs no right at all."""
    return {
        "name": PUSH,
        "image": kaniko.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [PUSH, _TAR, f"--destination={wanted.reference}", "--push-retry=3", *_transport(kaniko)],
        "env": list(_trust(attached)),
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": list(_mounts(attached, "push.json", apart=True)),
    }


def _arguments(wanted: Order, kaniko: KanikoSite) -> Iterator[str]:
    build = wanted.order.build
    yield from _source(wanted)
    yield from (f"--dockerfile={wanted.dockerfile_path}", f"--digest-file={_DIGEST_FILE}")
    yield from ("--log-format=text", "--image-download-retry=2")
    yield from _target(wanted)
    yield from (f"--build-arg={key}={value}" for key, value in sorted(build.args.items()))
    told = {**build.labels, **wanted.order.labels, LABEL_KEY: wanted.order.key}
    yield from (f"--label={key}={value}" for key, value in sorted(told.items()))
    if build.target:
        yield f"--target={build.target}"
    if build.platform:
        yield f"--custom-platform={build.platform}"
    yield from (f"--registry-mirror={mirror}" for mirror in kaniko.mirrors)
    yield from (f"--registry-map={host}={other}" for host, other in sorted(kaniko.registry_map.items()))
    yield from _transport(kaniko)


def _transport(kaniko: KanikoSite) -> Iterator[str]:
    yield from (f"--insecure-registry={host}" for host in kaniko.insecure)
    yield from (f"--skip-tls-verify-registry={host}" for host in kaniko.unverified)


def _source(wanted: Order) -> Iterator[str]:
    remote = wanted.order.remote
    if not wanted.fetches or remote is None:
        yield f"--context={SENT}"
        return
    yield f"--context=git://{remote.url.partition('://')[2]}#{remote.commit}"
    yield from ("--git=depth=1", "--git=single-branch=true")
    if (folder := posixpath.normpath(wanted.order.build.context)) != ".":
        yield f"--context-sub-path={folder}"


def _target(wanted: Order) -> Iterator[str]:
    """Push, with a cache of layers; or write a file, without one: a cache would have to be pushed to."""
    yield f"--destination={wanted.reference}"
    if not wanted.grant.narrow:
        yield from ("--no-push", f"--tar-path={_TAR}")
        return
    yield "--push-retry=3"
    if not wanted.order.build.no_cache:
        yield from ("--cache=true", "--cache-copy-layers=true", f"--cache-repo={wanted.cache}")


def _environment(wanted: Order, attached: Attachments, name: str) -> Iterator[Manifest]:
    if wanted.fetches and wanted.order.remote:
        yield {"name": "GIT_PULL_METHOD", "value": urlsplit(wanted.order.remote.url).scheme}
        if "git-password" in attached.secret:
            secret = credentials_name(name, wanted.token)
            for variable, key in (("GIT_USERNAME", "git-username"), ("GIT_PASSWORD", "git-password")):
                yield {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
    yield {"name": "FF_KANIKO_PATH_SCOPED_REGISTRY_AUTH", "value": "true"}
    yield from _trust(attached)


def _trust(attached: Attachments) -> Iterator[Manifest]:
    """Let Go's libraries trust more authorities, for registries and git alike."""
    if attached.config:
        yield {"name": "SSL_CERT_DIR", "value": f"{_HOME}/ssl/certs:{_HOME}/trusted"}


def _mounts(attached: Attachments, config: str, *, apart: bool) -> Iterator[Manifest]:
    if config in attached.secret:
        yield {"name": config.partition(".")[0], "mountPath": f"{_HOME}/.docker", "readOnly": True}
    if attached.config:
        yield {"name": "trusted", "mountPath": f"{_HOME}/trusted", "readOnly": True}
    if apart:
        yield {"name": "image", "mountPath": posixpath.dirname(_TAR)}


def _volumes(wanted: Order, attached: Attachments, name: str) -> Iterator[Manifest]:
    own = credentials_name(name, wanted.token)
    for key in ("build.json", "push.json"):
        if key in attached.secret:
            items = [{"key": key, "path": "config.json"}]
            yield {"name": key.partition(".")[0], "secret": {"secretName": own, "items": items}}
    if attached.config:
        yield {"name": "trusted", "configMap": {"name": own}}
    if not wanted.grant.narrow:
        yield {"name": "image", "emptyDir": {}}


def _sends_token(wanted: Order, kaniko: KanikoSite) -> bool:
    remote, git = wanted.order.remote, kaniko.git
    return bool(
        wanted.fetches and remote and git and git.token and urlsplit(remote.url).netloc.lower() == git.host
    )


def _auths(grant: PushGrant) -> dict[str, object]:
    found = grant.credentials.docker_config()["auths"] if grant.credentials else {}
    return dict(found) if isinstance(found, Mapping) else {}


def _docker_config(auths: Mapping[str, object]) -> str:
    return json.dumps({"auths": auths}, sort_keys=True)
