"""Conductor's part of a sync, in a process of its own whose memory is looked through: `python -m tests.syncing.process`.

It reads what it is told as JSON, does all of it, writes what it has done as one line, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from conductor.adapters.github import App, GitHubHosting, GitHubSite
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.secrets.synced import SyncedSecrets
from conductor.adapters.system.clock import SystemClock
from conductor.domain.stack import Service, Stack
from conductor.domain.states import Phase
from conductor.ports.engine import Place
from tests.github.fake import APP_ID
from tests.syncing.conftest import WRITER, a_lease, a_run
from tests.syncing.consumers import CONSUMERS


async def main() -> None:
    told = json.loads(sys.stdin.readline())
    hosting = GitHubHosting(GitHubSite(api=told["github"], app=App(id=APP_ID, private_key=told["key"])))
    engine = KubernetesEngine(
        Connection(kubeconfig=told["kubeconfig"]), site=Site(instance="test", writer=WRITER)
    )
    assert engine.writing
    secrets = SyncedSecrets(workflows=hosting.workflows, writing=engine.writing, clock=SystemClock())
    run = a_run()
    place = Place(namespace=run.namespace, run=run.id)
    await engine.create_namespace(place, a_lease(run, SystemClock().now()))
    receipt = await secrets.sync(run, CONSUMERS)
    services = tuple(
        Service(name=name, image="busybox", secret_keys=keys) for name, keys in CONSUMERS.items()
    )
    stack = Stack(name="shop", services=services, networks=())
    for service in services:
        await engine.apply(place, stack, service)
    async with asyncio.timeout(60):
        async for states in engine.watch(place):
            if len(states) == len(services) and all(
                one.phase is not Phase.PENDING for one in states.values()
            ):
                break
    await secrets.sync(run, CONSUMERS)
    seen = [
        repr(await secrets.recall(run, CONSUMERS)),
        repr(await engine.namespaces()),
        repr(secrets.masker(run.id)),
    ]
    sys.stdout.write(
        json.dumps({"receipt": repr(asdict(receipt)), "marker": told["marker"], "seen": seen}) + "\n"
    )
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await hosting.aclose()
    await engine.aclose()


if __name__ == "__main__":
    asyncio.run(main())
