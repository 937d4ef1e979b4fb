"""Looking at a cluster for `doctor`: reachable and new enough, every right there, volumes, names, Pod Security, policies.

What is looked at by trying is tried in a namespace of its own, which is removed at the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import ACCESS_REVIEW, STORAGE_CLASS, Manifest
from conductor.adapters.kubernetes.api.problems import RIGHTS
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.errors import ConductorError, NotFoundError
from conductor.ports.engine import Diagnosis

LEAST_VERSION = (1, 30)
"""Native sidecars on by default, admission policies general."""
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """What Conductor's account must be allowed to do. `resource` may name a part: `pods/log`."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    name: str = ""
    """The one object, where not all are meant."""


_ALL = ("get", "list", "watch", "create", "patch", "delete")
_SEE = ("list", "watch")
EVERYWHERE = (
    Right(group="", resource="namespaces", verbs=_ALL),
    Right(group="", resource="pods", verbs=_SEE),
    Right(group="", resource="events", verbs=_SEE),
    Right(group="", resource="persistentvolumeclaims", verbs=_SEE),
    Right(group="apps", resource="deployments", verbs=_SEE),
    Right(group="apps", resource="statefulsets", verbs=_SEE),
    Right(group="batch", resource="jobs", verbs=_SEE),
    Right(group="storage.k8s.io", resource="storageclasses", verbs=("list",)),
)
"""What is watched for the whole cluster, and namespaces."""
INSIDE = (
    Right(group="", resource="pods", verbs=("get", "create", "patch", "delete")),
    Right(group="", resource="pods/log", verbs=("get",)),
    Right(group="", resource="pods/exec", verbs=("get", "create")),
    Right(group="", resource="pods/attach", verbs=("get", "create")),
    Right(group="", resource="pods/portforward", verbs=("get", "create")),
    Right(group="", resource="services", verbs=("list", "create", "patch")),
    Right(group="", resource="configmaps", verbs=("list", "create", "patch")),
    Right(group="", resource="persistentvolumeclaims", verbs=("list", "create")),
    Right(group="", resource="serviceaccounts", verbs=("create", "patch")),
    Right(group="", resource="resourcequotas", verbs=("create", "patch")),
    Right(group="", resource="limitranges", verbs=("create", "patch")),
    Right(group="", resource="secrets", verbs=("create",)),
    Right(group="apps", resource="deployments", verbs=("create", "patch")),
    Right(group="apps", resource="statefulsets", verbs=("create", "patch")),
    Right(group="batch", resource="jobs", verbs=("get", "create", "patch", "delete")),
    Right(group="networking.k8s.io", resource="networkpolicies", verbs=("create", "patch")),
    Right(group="networking.k8s.io", resource="ingresses", verbs=("create", "patch")),
    Right(group="gateway.networking.k8s.io", resource="httproutes", verbs=("create", "patch")),
)
"""What is written in the namespaces of runs. An account may have it there alone (`Site.role`)."""
DISMISSING = (
    Right(
        group="rbac.authorization.k8s.io",
        resource="rolebindings",
        verbs=("delete",),
        name="conductor-secrets",
    ),
)
"""What is needed in the namespaces of runs besides, where a runner brings secrets: to take its binding away again."""
FORBIDDEN = (
    Right(group="", resource="secrets", verbs=("get", "list", "watch", "patch", "update", "delete")),
)
"""What it must not be allowed to do."""


async def look(connection: Connection, site: Site) -> AsyncIterator[Diagnosis]:
    """Yield what is found without making anything. Ends early where the cluster is not reached."""
    try:
        client = await connection.client()
        version = await client.version()
    except ConductorError as error:
        yield Diagnosis(subject="cluster", ok=False, detail=error.message, remedy=error.remedy)
        return
    yield _version(client, version)
    for looking in (_rights, _secrets, _storage):
        try:
            yield await looking(client, site)
        except ConductorError as error:
            subject = looking.__name__.strip("_")
            yield Diagnosis(subject=subject, ok=False, detail=error.message, remedy=error.remedy)


def _version(client: Client, found: Mapping[str, object]) -> Diagnosis:
    numbers = tuple(int(re.sub(r"\D", "", str(found.get(part) or "0")) or 0) for part in ("major", "minor"))
    ok = numbers >= LEAST_VERSION
    where = f" (context {client.context})" if client.context not in ("", "default") else ""
    least = ".".join(map(str, LEAST_VERSION))
    return Diagnosis(
        subject="cluster",
        ok=ok,
        detail=f"Kubernetes {found.get('gitVersion')} at {client.address}{where}",
        remedy="" if ok else f"Conductor needs Kubernetes {least} or newer.",
    )


async def _rights(client: Client, site: Site) -> Diagnosis:
    """Ask for what is needed for the whole cluster; what is needed in namespaces is looked for there, where it is given there."""
    writing = bringing_rights(site.writer.role) if site.writer else ()
    if not site.role:
        return await rights(client, (*EVERYWHERE, *INSIDE, *writing, *(DISMISSING if writing else ())))
    return await rights(client, (*EVERYWHERE, *binding_rights(site.role), *writing))


def binding_rights(role: str) -> tuple[Right, ...]:
    """Name what an account needs to give itself a role, and no other."""
    group = "rbac.authorization.k8s.io"
    return (
        Right(group=group, resource="rolebindings", verbs=("create",)),
        Right(group=group, resource="clusterroles", verbs=("bind",), name=role),
    )


def bringing_rights(role: str) -> tuple[Right, ...]:
    """Name what an account needs besides to let a runner bring secrets into a namespace: to give that role, and no other."""
    return (Right(group="rbac.authorization.k8s.io", resource="clusterroles", verbs=("bind",), name=role),)


async def rights(client: Client, needed: Sequence[Right], *, namespace: str = "") -> Diagnosis:
    """Ask for every right, all at once: in a namespace, or everywhere."""
    asked = [(right, verb) for right in needed for verb in right.verbs]
    answers = await asyncio.gather(*(_may(client, right, verb, namespace) for right, verb in asked))
    lacking = [_shown(right, verb) for (right, verb), may in zip(asked, answers, strict=True) if not may]
    subject = "rights in a namespace" if namespace else "rights"
    if lacking:
        detail = f"missing: {', '.join(lacking)}"
        return Diagnosis(subject=subject, ok=False, detail=detail, remedy=RIGHTS)
    return Diagnosis(subject=subject, ok=True, detail=f"all {len(asked)} that are needed")


async def _secrets(client: Client, site: Site) -> Diagnosis:
    """Ask whether the account could read secrets: it should not."""
    del site
    asked = [(right, verb) for right in FORBIDDEN for verb in right.verbs]
    answers = await asyncio.gather(*(_may(client, right, verb, "") for right, verb in asked))
    allowed = [verb for (_, verb), may in zip(asked, answers, strict=True) if may]
    if not allowed:
        return Diagnosis(subject="secrets", ok=True, detail="created, and never read")
    detail = f"this account may {', '.join(allowed)} secrets; Conductor never does"
    remedy = "Give Conductor an account of its own, with the roles of deploy/: on secrets `create` and nothing else."
    return Diagnosis(subject="secrets", ok=True, detail=detail, remedy=remedy)


async def _storage(client: Client, site: Site) -> Diagnosis:
    found = await client.ask("GET", STORAGE_CLASS.path(), doing="listing storage classes")
    classes: Sequence[Manifest] = found.get("items") or ()
    names = [str(one["metadata"]["name"]) for one in classes]
    usual = [
        str(one["metadata"]["name"])
        for one in classes
        if (one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    ]
    if site.storage_class:
        ok, used = site.storage_class in names, site.storage_class
    else:
        ok, used = bool(usual), usual[0] if usual else "no default"
    said = f"{used}{'' if ok else ' is not there'} (of {', '.join(names) or 'none'})"
    remedy = "" if ok else "Name one of them with CONDUCTOR_STORAGE_CLASS, or make one the cluster's default."
    return Diagnosis(subject="storage class", ok=ok, detail=said, remedy=remedy)


async def _may(client: Client, right: Right, verb: str, namespace: str) -> bool:
    resource, _, part = right.resource.partition("/")
    asked = {
        "group": right.group,
        "resource": resource,
        "subresource": part,
        "verb": verb,
        "name": right.name,
        "namespace": namespace,
    }
    review = {
        "apiVersion": ACCESS_REVIEW.api,
        "kind": ACCESS_REVIEW.name,
        "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
    }
    try:
        answer = await client.ask(
            "POST", ACCESS_REVIEW.path(), doing="asking for Conductor's rights", body=review
        )
    except NotFoundError:
        return False
    return bool((answer.get("status") or {}).get("allowed"))


def _shown(right: Right, verb: str) -> str:
    return f"{verb} {right.resource}" + (f".{right.group}" if right.group else "")
