"""Putting one workload in its place: networks, volumes, container, files, start. Everything is adopted where it is there already.

Law: a container that was started once is never started again by this; one that was only created (we were cut off between the two) is
made anew. What goes wrong is noted as the workload's state; only an engine that is away, or a mount that is refused, is an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiodocker

from conductor.adapters.docker.archives import copy_in
from conductor.adapters.docker.connection.client import CANNOT_CONNECT, Client, reaching
from conductor.adapters.docker.containers import convert
from conductor.adapters.docker.containers.addresses import Addresses
from conductor.adapters.docker.containers.binds import copied, volume_config
from conductor.adapters.docker.containers.facts import Config, EngineFacts, ImageFacts, Kind
from conductor.adapters.docker.containers.images import ready_image
from conductor.adapters.docker.containers.mounts import (
    archive_of,
    confined,
    holder_of_port,
    keep_files,
    prepare_binds,
)
from conductor.adapters.docker.containers.naming import container_names, network_names
from conductor.adapters.docker.containers.networks import endpoints, network_config, published
from conductor.adapters.docker.containers.run_hooks import run_post_start
from conductor.adapters.docker.containers.surroundings import Networks, ensure_volume
from conductor.adapters.docker.containers.wording import Wording, with_secrets
from conductor.adapters.docker.marks import Failure, Marks, Note
from conductor.adapters.docker.watching.states import start_failure
from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE
from conductor.domain.stack import SecretText, Service, Stack, Volume, VolumeMount
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConflictError
from conductor.ports.engine import Place
from conductor.ports.secrets import Secrets

NEVER_STARTED = frozenset({"created", "configured", "initialized"})
NOT_FOUND, CONFLICT = 404, 409


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """One workload on its way."""

    client: Client
    place: Place
    stack: Stack
    service: Service
    kind: Kind
    instance: str
    facts: EngineFacts
    marks: Marks
    secrets: Secrets | None
    networks: Networks

    async def carry_out(self) -> None:
        """Make it run, or note why not."""
        missing = await asyncio.to_thread(prepare_binds, self.place.checkout, self.service)
        if missing:
            text = f"{', '.join(missing)} is to be mounted, and is not in the repository"
            return self._fail(Failure(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=text))
        todo = [name for name in container_names(self.place, self.service) if not await self._adopted(name)]
        if not todo:
            return await self._after_start()
        if failure := await self._obstacle():
            return self._fail(failure)
        self.marks.write_note(self.place.namespace, Note(workload=self.service.name))
        image = await ready_image(self.client, self.service)
        if isinstance(image, Failure):
            return self._fail(image)
        await self._surroundings()
        for name in todo:
            if failure := await self._start(name, image):
                return self._fail(failure)
        return await self._after_start()

    async def _after_start(self) -> None:
        """Run the hooks, once for a start; where we were cut off in the midst of them, all once more."""
        note = self.marks.note(self.place.namespace, self.service.name)
        if not self.service.post_start or note.hooked or note.failure:
            return None
        for name in container_names(self.place, self.service):
            if wrong := await run_post_start(self.client, name, self.service.post_start, self._text):
                text = self._masked(wrong)
                return self._fail(Failure(reason=Reason.ERROR, fault=Fault.REPOSITORY, message=text))
        self.marks.write_note(self.place.namespace, replace(note, hooked=True))
        return None

    async def _adopted(self, name: str) -> bool:
        found = await inspect_container(self.client, name)
        if found is None:
            return False
        labels = found["Config"].get("Labels") or {}
        ours = (
            labels.get(LABEL_INSTANCE) == self.instance
            and labels.get(LABEL_NAMESPACE) == self.place.namespace
        )
        if not ours:
            raise ConflictError(
                f"a container named {name} is there already, and belongs to somebody else",
                remedy=f"Remove it (`docker rm {name}`), or start a new run.",
            )
        if found["State"]["Status"] not in NEVER_STARTED:
            return True
        self.marks.write_note(self.place.namespace, Note(workload=self.service.name))
        with reaching(f"removing {name}, which was never started"):
            await self.client.containers.container(name).delete(force=True, v=True)
        return False

    async def _obstacle(self) -> Failure | None:
        """Look for what is known to go wrong before anything is made."""
        lacking = [name for name in self._secret_names() if not self._has_secret(name)]
        if lacking:
            text = f"no value is known for {', '.join(lacking)}"
            return Failure(reason=Reason.SECRET_MISSING, fault=Fault.REPOSITORY, message=text)
        if self.kind == "service":
            for port in published(self.place, self.service.name).values():
                if port and (why := await asyncio.to_thread(holder_of_port, port)):
                    return Failure(reason=Reason.PORT_IN_USE, fault=Fault.REPOSITORY, message=why)
        return None

    async def _surroundings(self) -> None:
        internal = {network.name for network in self.stack.networks if network.internal}
        names = network_names(self.place, self.stack)
        for network in self.service.networks:
            name = names.get(network, self.place.namespace)
            config = network_config(
                self.place, name, instance=self.instance, internal=network in internal, facts=self.facts
            )
            await self.networks.ensure(self.client, config)
        declared = {volume.name: volume for volume in self.stack.volumes}
        used = {m.volume for m in self.service.mounts if isinstance(m, VolumeMount) and m.volume is not None}
        for volume in sorted(used):
            config = volume_config(
                self.place, declared.get(volume, Volume(name=volume)), instance=self.instance
            )
            await ensure_volume(self.client, config)
        await asyncio.to_thread(keep_files, self._kept, self.service, self._text)

    async def _start(self, name: str, image: ImageFacts) -> Failure | None:
        config = convert.container(
            self.place, self.stack, self.service,
            instance=self.instance, kind=self.kind, facts=self.facts, image=image, wording=self._wording,
        )  # fmt: skip
        known_at = endpoints(self.place, self.stack, self.service)
        if self.facts.podman:
            addresses = await self._addresses()
            replica = container_names(self.place, self.service).index(name)
            known_at = addresses.endpoints(self.service, replica)
            host = config["HostConfig"]
            host["ExtraHosts"] = [*host.get("ExtraHosts", []), *addresses.hosts(self.service)]
            config["NetworkingConfig"] = {"EndpointsConfig": dict(list(known_at.items())[:1])}
        try:
            with reaching(f"starting {name}"):
                await self._create_and_start(name, config, further=dict(list(known_at.items())[1:]))
        except _RefusedByEngineError as refused:
            return start_failure(self._masked(refused.text), status=refused.status)
        return None

    async def _addresses(self) -> Addresses:
        names = set(network_names(self.place, self.stack).values()) or {self.place.namespace}
        subnets = await self.networks.subnets(self.client, names)
        return Addresses(place=self.place, stack=self.stack, subnets=subnets)

    async def _create_and_start(self, name: str, config: Config, *, further: Mapping[str, Config]) -> None:
        try:
            made = await self.client.containers.create(config, name=name)
            for network, endpoint in further.items():
                connection = {"Container": made.id, "EndpointConfig": endpoint}
                await self.client.ask("POST", f"networks/{network}/connect", body=connection)
            if files := copied(self.service):
                await copy_in(self.client, made.id, "/", archive_of(files, self._text))
            self.marks.write_note(self.place.namespace, Note(workload=self.service.name, created=True))
            await made.start()
        except aiodocker.DockerError as error:
            if error.status == CANNOT_CONNECT:
                raise
            self.networks.forget(self.place.namespace)  # it may be one of them that has gone
            raise _RefusedByEngineError(error.status, error.message) from None

    def _fail(self, failure: Failure) -> None:
        self.marks.write_note(self.place.namespace, Note(workload=self.service.name, failure=failure))

    @property
    def _kept(self) -> Path:
        return self.marks.files(self.place.namespace)

    @property
    def _wording(self) -> Wording:
        return Wording(text=self._text, secret=self._secret, source=self._source)

    def _source(self, path: str) -> str:
        kept = path.removeprefix("kept:")
        return str(self._kept / kept) if kept != path else str(confined(self.place.checkout, path))

    def _text(self, value: str | SecretText) -> str:
        return value if isinstance(value, str) else with_secrets(value, self._secret)

    def _secret(self, name: str) -> str:
        if self.secrets is None:
            raise KeyError(name)
        return self.secrets.value(self.place.run, name)

    def _has_secret(self, name: str) -> bool:
        try:
            self._secret(name)
        except KeyError:
            return False
        return True

    def _secret_names(self) -> list[str]:
        texts = [
            *self.service.environment.values(),
            *(value for hook in self.service.post_start for value in hook.environment.values()),
            *(getattr(m, "content", None) for m in self.service.mounts),
        ]
        in_texts = [name for text in texts if isinstance(text, SecretText) for name in text.names]
        return sorted({*self.service.secret_keys, *in_texts})

    def _masked(self, text: str) -> str:
        return self.secrets.masker(self.place.run)(text) if self.secrets and self._secret_names() else text


class _RefusedByEngineError(Exception):
    """The engine answered, and said no: the workload's state will say why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def inspect_container(client: Client, name: str) -> Mapping[str, Any] | None:
    """Return what the engine says of a container, or None where there is none of that name."""
    with reaching(f"looking at {name}"):
        try:
            return await client.containers.container(name).show()
        except aiodocker.DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
