"""Ending, putting to sleep and waking: by suspending Jobs and scaling the others to nought, with a note of what they had.

Files that a container wrote outside of volumes are lost with its pod, as after a restart; claims stay.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import JOB, POD, Kind, Manifest
from conductor.adapters.kubernetes.seeing.pod_status import is_leaving, is_over
from conductor.adapters.kubernetes.seeing.sight import Sight
from conductor.adapters.kubernetes.seeing.states import (
    ASLEEP,
    STOPPED,
    is_asleep,
    is_finished,
    name_of,
    wanted_pods,
)
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.states import Phase
from conductor.errors import ConductorError, NotFoundError

PATIENCE = timedelta(seconds=60)
"""So long pods may take to end; after that they are ended at once."""
LOOK = timedelta(seconds=0.2)
AT_ONCE = 1


async def stop(client: Client, sight: Sight, namespace: str, workload: str) -> None:
    """End a workload: a Job's pod by its time limit, so that its log and exit code stay; what else keeps pods is scaled to nought."""
    for kind, keeper in await sight.keepers(namespace, workload):
        if is_finished(keeper):
            continue
        pods = await sight.pods(namespace, workload)
        if kind is JOB and pods and all(is_over(pod) for pod in pods):
            continue
        had = str(wanted_pods(keeper))
        changes: dict[str, Any] = {"metadata": {"annotations": {STOPPED: had}}}
        changes["spec"] = _no_more(kind, keeper)
        await _change(client, sight, kind, keeper, changes)
        if kind is JOB:
            await asyncio.gather(*(_end(client, pod) for pod in pods if not is_over(pod)))


def _no_more(kind: Kind, keeper: Manifest) -> dict[str, Any]:
    """Say that no other pod is to follow."""
    if kind is not JOB:
        return {"replicas": 0}
    return {} if "backoffLimitPerIndex" in keeper["spec"] else {"backoffLimit": 0}


async def _end(client: Client, pod: Manifest) -> None:
    """End a pod by its time limit; one that no node has yet has no time, and is taken away."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        if (pod.get("status") or {}).get("startTime"):
            limit = {"spec": {"activeDeadlineSeconds": AT_ONCE}}
            await client.patch(POD, name, limit, namespace)
        else:
            await client.delete(POD, name, namespace, uid=pod["metadata"]["uid"])
    except NotFoundError:
        return


async def sleep(client: Client, sight: Sight, namespace: str) -> None:
    """Stop all that has not ended, and return once nothing runs."""
    found = await sight.states(namespace)
    going = [
        (kind, keeper)
        for kind, keeper in await sight.keepers(namespace)
        if (state := found.get(name_of(keeper))) and state.phase in (Phase.PENDING, Phase.RUNNING)
    ]
    await asyncio.gather(*(_put_to_sleep(client, sight, kind, keeper) for kind, keeper in going))
    asleep = {keeper["metadata"]["labels"][LABEL_WORKLOAD] for _, keeper in going}
    await _until_ended(client, sight, namespace, asleep)


async def wake(client: Client, sight: Sight, namespace: str, workload: str) -> None:
    """Let what sleeps run again; nothing else changes."""
    for kind, keeper in await sight.keepers(namespace, workload):
        if not is_asleep(keeper):
            continue
        had = int(keeper["metadata"]["annotations"][ASLEEP])
        changes: dict[str, Any] = {"metadata": {"annotations": {ASLEEP: None}}}
        changes["spec"] = {"suspend": False} if kind is JOB else {"replicas": had}
        await _change(client, sight, kind, keeper, changes)


async def _put_to_sleep(client: Client, sight: Sight, kind: Kind, keeper: Manifest) -> None:
    changes: dict[str, Any] = {"metadata": {"annotations": {ASLEEP: str(wanted_pods(keeper))}}}
    changes["spec"] = {"suspend": True} if kind is JOB else {"replicas": 0}
    await _change(client, sight, kind, keeper, changes)


async def _change(
    client: Client, sight: Sight, kind: Kind, keeper: Manifest, changes: dict[str, Any]
) -> None:
    metadata = keeper["metadata"]
    sight.cluster.saw(kind, await client.patch(kind, metadata["name"], changes, metadata["namespace"]))


async def _until_ended(client: Client, sight: Sight, namespace: str, workloads: set[str]) -> None:
    """Wait until no pod of these runs; one that does not end in time is ended at once."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while workloads:
        alive = [
            pod
            for pod in await sight.pods(namespace)
            if pod["metadata"]["labels"].get(LABEL_WORKLOAD) in workloads and not is_over(pod)
        ]
        if not alive:
            return
        if loop.time() - begun > PATIENCE.total_seconds():
            await asyncio.gather(*(_take_away(client, pod) for pod in alive if is_leaving(pod)))
            return
        await asyncio.sleep(LOOK.total_seconds())


async def _take_away(client: Client, pod: Manifest) -> None:
    metadata = pod["metadata"]
    try:
        await client.delete(POD, metadata["name"], metadata["namespace"], grace=AT_ONCE, uid=metadata["uid"])
    except ConductorError:
        return
