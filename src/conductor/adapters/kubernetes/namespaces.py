"""Namespaces: made with all their bounds before anything runs in them, marked, listed, and removed until nothing of them is left.

Law: one that bears another instance's mark, or none, is neither taken over nor touched. A finalizer of somebody else is never taken
off: what it holds is reported.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import chain, repeat

from conductor.adapters.kubernetes import leases, rights
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import (
    CLAIM,
    CONFIG_MAP,
    EVENT,
    JOB,
    NAMESPACE,
    POD,
    SERVICE,
    Manifest,
)
from conductor.adapters.kubernetes.api.problems import ForbiddenError
from conductor.adapters.kubernetes.manifests.test_job import FINALIZER
from conductor.adapters.kubernetes.seeing.pod_status import condition
from conductor.adapters.kubernetes.seeing.sight import KEEPERS, Sight
from conductor.adapters.kubernetes.seeing.states import NODE_NOT_READY, has_lost_node
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.names import LABEL_KIND
from conductor.errors import ConflictError, NotFoundError

BUILDS = "builds"
"""The kind of the namespace in which images are built: it is no stack, and has no end."""
GRACE_SECONDS = 1
"""What is removed has nothing left to save."""
PATIENCE = timedelta(minutes=3)
"""So long a namespace may take to go."""
NODE_SILENT = timedelta(seconds=8)
"""So long a node may take to say that a pod has ended, before it is asked whether the node is lost."""
HELD = timedelta(seconds=20)
"""So long the cluster may say that a finalizer holds something, before that is believed."""
LOOKS = (0.3, 0.3, 0.5, 0.8, 1.2)
"""Seconds between looks whether a namespace is gone; the last for all that follow."""
_KNOWN = (FINALIZER, "foregroundDeletion", "orphan", "kubernetes")
_OF_THE_CLUSTER = re.compile(r"(^|\.)kubernetes\.io/")


async def create(client: Client, sight: Sight, namespace: Manifest, lease: Lease) -> None:
    """Make a namespace with its mark, or renew the mark of the one that is there.

    ConflictError where it is somebody else's, or on its way out.
    """
    annotations = {**(namespace["metadata"].get("annotations") or {}), **leases.annotation(lease)}
    marked = {**namespace, "metadata": {**namespace["metadata"], "annotations": annotations}}
    made = await client.create(marked)
    if made is None:
        await _adopt(client, sight, lease)
    sight.cluster.saw(NAMESPACE, made)


async def _adopt(client: Client, sight: Sight, lease: Lease) -> None:
    found = await client.get(NAMESPACE, lease.namespace)
    if not is_of(sight, found):
        raise ConflictError(
            f"the namespace {lease.namespace} is there already, and not of this Conductor",
            remedy="Give each Conductor on a cluster its own CONDUCTOR_INSTANCE; remove a namespace that nobody needs.",
        )
    if found["metadata"].get("deletionTimestamp"):
        raise ConflictError(
            f"the namespace {lease.namespace} is just being deleted", remedy="Wait until it is gone."
        )
    changes = {"metadata": {"annotations": leases.annotation(lease)}}
    sight.cluster.saw(NAMESPACE, await client.patch(NAMESPACE, lease.namespace, changes))


async def mark(client: Client, sight: Sight, lease: Lease) -> None:
    """Write the lease. NotFoundError where there is no such namespace of this instance."""
    found = await client.find(NAMESPACE, lease.namespace)
    if found is None or not is_of(sight, found):
        raise NotFoundError(
            f"there is no namespace {lease.namespace}",
            remedy="`conductor stacks list` names those there are.",
        )
    await client.patch(NAMESPACE, lease.namespace, {"metadata": {"annotations": leases.annotation(lease)}})


async def list_all(client: Client, sight: Sight) -> Sequence[NamespaceInfo]:
    """List the namespaces of this instance, in the order of their names. What is watched anyway is not asked for again."""
    listing, counts = await asyncio.gather(
        client.list(NAMESPACE, labels=sight.labels), _workloads(client, sight)
    )
    return [
        leases.info(found, workloads=counts[found["metadata"]["name"]])
        for found in sorted(listing.items, key=lambda n: str(n["metadata"]["name"]))
        if (found["metadata"].get("labels") or {}).get(LABEL_KIND) != BUILDS
    ]


async def _workloads(client: Client, sight: Sight) -> Counter[str]:
    """Count the workloads of each namespace."""
    if sight.cluster.is_current:
        return sight.cluster.count(KEEPERS)
    listings = await asyncio.gather(*(client.list(kind, labels=sight.labels) for kind in KEEPERS))
    return Counter(found["metadata"]["namespace"] for listing in listings for found in listing.items)


async def delete(client: Client, sight: Sight, namespace: str, *, role: str = "") -> int:
    """Remove a namespace with all that is in it; return once it is gone, with how many things went.

    With `role` the account has its rights from a binding in there, which goes at any moment once the end has begun: so they are taken
    before, where whoever made the namespace died too early for it, and what they are needed for comes first.

    ConflictError naming what holds it, where something still does after `PATIENCE`.
    """
    found = await client.find(NAMESPACE, namespace)
    if found is None or not is_of(sight, found):
        return 0
    count = 1
    if not (role and found["metadata"].get("deletionTimestamp")):
        count += await _clear(client, sight, namespace, role)
    await client.delete(NAMESPACE, namespace, uid=found["metadata"]["uid"], propagation="Foreground")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    hurried: set[str] = set()
    forced: set[str] = set()
    pauses = chain(LOOKS, repeat(LOOKS[-1]))
    while (left := await client.find(NAMESPACE, namespace)) is not None:
        if left["metadata"]["uid"] != found["metadata"]["uid"]:
            break
        with suppress(*((ForbiddenError,) if role else ())):
            await _hurry(client, namespace, hurried)
            if timedelta(seconds=loop.time() - begun) > NODE_SILENT:
                await _give_up_lost(client, namespace, forced)
        waited = timedelta(seconds=loop.time() - begun)
        if waited > PATIENCE or (waited > HELD and _holders(left)):
            raise _stuck(namespace, left, waited)
        await asyncio.sleep(next(pauses))
    return count


def is_of(sight: Sight, namespace: Manifest) -> bool:
    """Tell whether a namespace bears this instance's labels."""
    labels = namespace["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in sight.labels.items())


async def _clear(client: Client, sight: Sight, namespace: str, role: str) -> int:
    """Let go of all pods, so that nothing of Conductor's holds them; return how many things there are."""
    if role:
        await rights.take(client, namespace, role, sight.labels)
    for pod in (await client.list(POD, namespace)).items:
        if FINALIZER in (pod["metadata"].get("finalizers") or ()):
            await release(client, pod)
    return await _count(client, sight, namespace)


async def _count(client: Client, sight: Sight, namespace: str) -> int:
    watched = (*KEEPERS, CLAIM)
    known = sight.cluster.count(watched)[namespace] if sight.cluster.is_current else None
    kinds = (SERVICE, CONFIG_MAP, *(watched if known is None else ()))
    listings = await asyncio.gather(*(client.list(kind, namespace, labels=sight.labels) for kind in kinds))
    return (known or 0) + sum(len(listing.items) for listing in listings)


async def _hurry(client: Client, namespace: str, hurried: set[str]) -> None:
    """End what runs without its own grace, and take Conductor's finalizer off; each pod once."""
    for pod in (await client.list(POD, namespace)).items:
        metadata = pod["metadata"]
        if metadata["uid"] not in hurried:
            hurried.add(metadata["uid"])
            await client.delete(POD, metadata["name"], namespace, grace=GRACE_SECONDS, uid=metadata["uid"])
        if FINALIZER in (metadata.get("finalizers") or ()):
            await release(client, pod)


async def _give_up_lost(client: Client, namespace: str, forced: set[str]) -> None:
    """Take away the records of pods whose node the cluster gave up: nobody else ever tells that they have ended; each pod once.

    A Job holds its pods until they have ended, or it is gone itself.
    """
    pods = [pod for pod in (await client.list(POD, namespace)).items if pod["metadata"]["uid"] not in forced]
    if not pods:
        return
    told = (await client.list(EVENT, namespace, fields={"reason": NODE_NOT_READY})).items
    for pod in pods:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        if has_lost_node(pod, [event for event in told if event["involvedObject"].get("uid") == uid]):
            forced.add(uid)
            for job in _jobs_of(pod):
                await client.delete(JOB, job, namespace)
            await client.delete(POD, name, namespace, grace=0, uid=uid)


def _jobs_of(pod: Manifest) -> list[str]:
    owners = pod["metadata"].get("ownerReferences") or ()
    return [str(owner["name"]) for owner in owners if owner["kind"] == JOB.name]


async def release(client: Client, pod: Manifest) -> None:
    """Take Conductor's own finalizer off a pod, and no other. A pod that changed or went meanwhile is left alone."""
    metadata = pod["metadata"]
    others = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
    changes = {"metadata": {"finalizers": others, "resourceVersion": metadata["resourceVersion"]}}
    try:
        await client.patch(POD, metadata["name"], changes, metadata["namespace"])
    except (NotFoundError, ConflictError):
        return


def _holders(namespace: Manifest) -> list[str]:
    """Name the finalizers that hold something in a namespace and are neither Conductor's nor the cluster's own."""
    held = condition(namespace, "NamespaceFinalizersRemaining")
    if held.get("status") != "True":
        return []
    named = re.findall(r"(\S+) in \d+ resource", str(held.get("message") or ""))
    return [name for name in named if name not in _KNOWN and not _OF_THE_CLUSTER.search(name)]


def _stuck(namespace: str, left: Manifest, waited: timedelta) -> ConflictError:
    wrong = [
        str(found.get("message"))
        for found in (left.get("status") or {}).get("conditions") or ()
        if found.get("status") == "True" and found.get("message")
    ]
    why = "; ".join(wrong) or "the cluster does not say why"
    return ConflictError(
        f"the namespace {namespace} is not gone after {waited.total_seconds():.0f} s: {why}",
        remedy="Whoever set the finalizer that is named has to take it off; Conductor never does, and tries again with its next sweep.",
    )
