"""Telling the cluster what is to run: the objects of a namespace, of a service with all that it needs, of a suite.

What a run decides once (Jobs, Deployments, Secrets) is created and, where it is there already, adopted as it is; what is only said
again (Services, policies, ConfigMaps, claims) is applied. Law: a Secret is created, and never read, changed or taken away.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, cast

from conductor.adapters.kubernetes import namespaces, rights
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import CLAIM, Manifest, kind_of
from conductor.adapters.kubernetes.filling import FILLINGS
from conductor.adapters.kubernetes.manifests.files import Files, read_files
from conductor.adapters.kubernetes.manifests.fillings import Filling, fillings
from conductor.adapters.kubernetes.manifests.kube_names import kube_name, secret_name
from conductor.adapters.kubernetes.manifests.layout import lay_out
from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.secrets import taken_from
from conductor.adapters.kubernetes.manifests.site import PULL_SECRET, Site
from conductor.adapters.kubernetes.seeing.health import START_PERIOD
from conductor.adapters.kubernetes.seeing.sight import KEEPERS, Sight
from conductor.adapters.kubernetes.seeing.states import NAME
from conductor.adapters.kubernetes.syncing import find_synced
from conductor.domain.lease import Lease
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.stack import Job, Service, Stack
from conductor.ports.engine import Place
from conductor.ports.registry import Registry
from conductor.ports.secrets import Secrets

_ONCE = ("Namespace", "LimitRange", "ResourceQuota")
_KEEPERS = frozenset(kind.name for kind in KEEPERS)
_NOTHING = Stack(name="nothing", services=(), networks=())


@dataclass(slots=True)
class Applying:
    """Applies for one instance. Remembers what it has said, so that a stack's common objects are not said for each service."""

    sight: Sight
    site: Site
    secrets: Secrets | None = None
    registry: Registry | None = None
    _said: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    async def create_namespace(self, client: Client, place: Place, lease: Lease) -> None:
        """Make the namespace with its mark, then all its bounds: nothing can run in it before they are there."""
        namespace, *bounds = _plain(render(place, _NOTHING, site=self.site))
        await namespaces.create(client, self.sight, namespace, lease)
        if self.site.role:
            await rights.take(client, place.namespace, self.site.role, self.sight.labels)
        await self._give_pull_credentials(client, namespace)
        account = _without_token(bounds[0] if bounds else namespace, place)
        await self._say(client, place, [*bounds, account])

    async def _give_pull_credentials(self, client: Client, namespace: Manifest) -> None:
        """Let pods of a namespace pull from the registry that images are built for."""
        who = await self.registry.pull_credentials() if self.registry else None
        if who is None or PULL_SECRET not in self.site.pull_secrets:
            return
        metadata = namespace["metadata"]
        await client.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/dockerconfigjson",
                "metadata": {
                    "name": PULL_SECRET,
                    "namespace": metadata["name"],
                    "labels": dict(self.sight.labels),
                },
                "immutable": True,
                "data": {".dockerconfigjson": _encoded(json.dumps(who.docker_config()))},
            }
        )

    async def apply(self, client: Client, place: Place, stack: Stack, service: Service) -> None:
        """Make a service run, after all that it mounts and is found by."""
        stack = _with(stack, service)
        files = await asyncio.to_thread(read_files, place.checkout, stack)
        await self._put(client, place, stack, service, jobs=(), files=files)

    async def start_job(self, client: Client, place: Place, stack: Stack, job: Job) -> None:
        """Start a suite, or adopt it."""
        files = await asyncio.to_thread(read_files, place.checkout, stack, [job])
        await self._put(client, place, stack, job.workload, jobs=[job], files=files)

    def forget(self, namespace: str) -> None:
        """Know nothing of a namespace any more."""
        self._said.pop(namespace, None)

    async def _put(
        self,
        client: Client,
        place: Place,
        stack: Stack,
        service: Service,
        *,
        jobs: Sequence[Job],
        files: Files,
    ) -> None:
        made = _plain(render(place, stack, jobs, files=files, site=self.site))
        told = _of(made, kube_name(service.name))
        layout = lay_out(stack, jobs, files=files, site=self.site)
        to_fill = fillings(layout, service)
        common = [thing for thing in told if thing["kind"] not in _KEEPERS]
        if self.site.writer and service.required_secrets:
            synced = await find_synced(client, place.namespace, service)
            told = [taken_from(synced, thing, service) for thing in told]
        await self._give_secrets(client, place, service, common)
        await self._say(client, place, common)
        for keeper in told:
            if keeper["kind"] in _KEEPERS:
                await self._create(client, _marked(keeper, service, to_fill))

    async def _say(self, client: Client, place: Place, things: Iterable[Manifest]) -> None:
        """Apply what has not been applied in these very words."""
        said = self._said[place.namespace]
        new = {words: thing for thing in things if (words := _words(thing)) not in said}
        for made in await asyncio.gather(*(self._apply(client, thing) for thing in new.values())):
            self.sight.cluster.saw(kind_of(made), made)
        said |= new.keys()

    async def _apply(self, client: Client, thing: Manifest) -> Manifest:
        """Apply one; a claim is created, since its request cannot change."""
        if kind_of(thing) is CLAIM:
            return await client.create(thing) or thing
        return await client.apply(thing)

    async def _create(self, client: Client, keeper: Manifest) -> None:
        self.sight.cluster.saw(kind_of(keeper), await client.create(keeper))

    async def _give_secrets(
        self, client: Client, place: Place, service: Service, like: Sequence[Manifest]
    ) -> None:
        """Make the Secret of a consumer, where this process has the values: on one machine, not where a runner syncs them."""
        keys = service.required_secrets
        if not keys or self.secrets is None or self.site.writer:
            return
        data = {key: _encoded(self.secrets.value(place.run, key)) for key in keys}
        labels = like[0]["metadata"]["labels"] if like else self.sight.labels
        shared = {key: value for key, value in labels.items() if key != LABEL_WORKLOAD}
        metadata = {
            "name": secret_name(service.name),
            "namespace": place.namespace,
            "labels": {**shared, LABEL_WORKLOAD: kube_name(service.name)},
        }
        await client.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "immutable": True, "data": data}
        )


def _with(stack: Stack, service: Service) -> Stack:
    """Put the service, as it is to run, into its stack: there its image is not known yet."""
    known = {one.name: one for one in stack.services} | {service.name: service}
    return replace(stack, services=tuple(known.values()))


def _of(made: Iterable[Manifest], workload: str) -> list[Manifest]:
    """Choose what one workload needs: what is its own, and what is nobody's own."""
    return [
        thing
        for thing in made
        if thing["kind"] not in _ONCE
        and (thing["metadata"].get("labels") or {}).get(LABEL_WORKLOAD, workload) == workload
    ]


def _marked(keeper: Manifest, service: Service, to_fill: Sequence[Filling]) -> Manifest:
    """Note on it what its status cannot tell: the name in the compose file, the health check's start period, what is to be filled in."""
    marked = deepcopy(keeper)
    annotations = marked["metadata"].setdefault("annotations", {})
    annotations[NAME] = service.name
    if to_fill:
        annotations[FILLINGS] = json.dumps(
            [{"volume": filling.volume, "source": filling.source} for filling in to_fill]
        )
    if service.healthcheck and service.healthcheck.start_period:
        pod = marked["spec"]["template"]["metadata"].setdefault("annotations", {})
        pod[START_PERIOD] = f"{service.healthcheck.start_period.total_seconds():g}"
    return marked


def _without_token(like: Manifest, place: Place) -> Manifest:
    """Make the account that pods of a namespace have by default: one that may nothing, and whose token they do not get."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "default",
            "namespace": place.namespace,
            "labels": dict(like["metadata"].get("labels") or {}),
        },
        "automountServiceAccountToken": False,
    }


def _plain(made: Sequence[Mapping[str, object]]) -> list[Manifest]:
    return [cast("Manifest", dict(thing)) for thing in made]


def _words(thing: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
