"""Settings in, a world out: the only module that names adapters.

`reading` is enough for whatever only looks or talks to the engine; `running` launches durable execution on top. Adapters and the
workflow library are imported when they are chosen, so that what needs neither answers at once; so are settings and log.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import ConductorError, ConflictError, StateError

if TYPE_CHECKING:
    from conductor.adapters.kubernetes.manifests.site import Addresses, Site
    from conductor.ports.builder import Builder
    from conductor.ports.engine import Engine, Renderer
    from conductor.ports.registry import Registry
    from conductor.ports.secrets import Secrets
    from conductor.ports.world import World
    from conductor.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """A process of Conductor: its settings, and the world that they chose."""

    settings: Settings
    world: World


def load_settings(state: Path | None = None) -> Settings:
    """Read `CONDUCTOR_*`; `state` overrides the state folder. Raises ConfigurationError naming every bad value."""
    from conductor.settings import read_settings

    return read_settings(state=state)


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Engine]:
    """Give the engine and nothing else, for whoever looks what is wrong: it may be the state folder."""
    from conductor.adapters.secrets.embedded import EmbeddedSecrets

    engine, _ = _engine(settings, EmbeddedSecrets(), None)
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def registry(settings: Settings) -> AsyncIterator[Registry | None]:
    """Give the registry that the settings name; None where images stay in the engine. ConfigurationError names what is missing."""
    if settings.registry_type is None:
        yield None
        return
    from conductor.adapters.registries.opening import open_registry
    from conductor.adapters.registries.registry_config import configured

    opened = open_registry(configured(settings))
    try:
        yield opened
    finally:
        await opened.aclose()


@asynccontextmanager
async def reading(settings: Settings, *, at_once: bool = False) -> AsyncIterator[App]:
    """Give a world without durable execution; the engine is reached when first asked, or `at_once`, beside all else."""
    from conductor import telemetry
    from conductor.adapters.evidence.folder import FolderEvidence
    from conductor.adapters.folder.forge import FolderForge
    from conductor.adapters.folder.git import Token
    from conductor.adapters.secrets.embedded import EmbeddedSecrets
    from conductor.adapters.system.clock import SystemClock

    state = _make_folder(settings.state)
    token = settings.git_token
    forge = FolderForge(token=Token(settings.git_host, token.get_secret_value()) if token else None)
    secrets = EmbeddedSecrets(carries=forge.carries)
    async with AsyncExitStack() as opened:
        images = await opened.enter_async_context(registry(settings))
        engine, builder = _engine(settings, secrets, images)
        await opened.enter_async_context(_met(engine, at_once=at_once))
        await asyncio.to_thread(_import, _FOR_READING)
        from conductor.adapters.stores.sql import SqlStore
        from conductor.domain.budget import Budget
        from conductor.domain.scan import Severity
        from conductor.ports.world import World, install

        store = await SqlStore.open(state / "conductor.db")
        telemetry.configure(level=settings.log, form=settings.log_format)
        world = World(
            engine=engine,
            builder=builder,
            forge=forge,
            store=store,
            evidence=FolderEvidence(state),
            secrets=secrets,
            clock=SystemClock(),
            budget=Budget(namespaces=settings.max_stacks, images=settings.registry_keep),
            registry=images,
            scan_gate=Severity(settings.scan_fail_on.title()) if settings.scan_fail_on else None,
        )
        install(world)
        try:
            yield App(settings=settings, world=world)
        finally:
            install(None)
            await store.aclose()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Give a world in which workflows run. On leaving, what is not ended stays as it is, for whoever resumes it."""
    _allow_open_files()
    async with reading(settings, at_once=True) as app:
        await asyncio.to_thread(_import, _FOR_RUNNING)
        from conductor import durable

        await durable.launch(settings.state)
        try:
            yield app
        finally:
            await durable.shutdown()


MOST_OPEN_FILES = 65_536


def _allow_open_files() -> None:
    """Allow this process as many open files as it may have: each log that is followed is one, and 1024 are soon too few."""
    allowed, possible = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if possible == resource.RLIM_INFINITY else min(possible, MOST_OPEN_FILES)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, possible))


_FOR_READING = ("conductor.adapters.stores.sql",)
_FOR_RUNNING = ("conductor.durable.room", "conductor.durable.workflows")


def _import(names: Sequence[str]) -> None:
    """Import what takes a while, in a thread of its own: meanwhile the engine is started and answers."""
    for name in names:
        import_module(name)


@asynccontextmanager
async def _met(engine: Engine, *, at_once: bool) -> AsyncIterator[None]:
    """Have the engine started and asked about itself beside what is done inside; let go of it afterwards."""
    meeting = asyncio.create_task(_meet(engine)) if at_once else None
    try:
        yield
    finally:
        if meeting:
            meeting.cancel()
            await asyncio.gather(meeting, return_exceptions=True)
        await engine.aclose()


async def _meet(engine: Engine) -> None:
    with suppress(ConductorError):  # whoever needs it says what is wrong with it
        await engine.namespaces()


def renderers(settings: Settings | None = None, *, instance: str = "conductor") -> tuple[Renderer, ...]:
    """Give the pure half of each engine: what it would be told, and what it refuses. Nothing is reached.

    `settings` say what the cluster is like, where one is meant. `instance` is a name that is the same on every machine.
    """
    from conductor.adapters.docker.renderer import DockerRenderer
    from conductor.adapters.kubernetes.manifests.site import Site
    from conductor.adapters.kubernetes.renderer import KubernetesRenderer

    site = _site(settings) if settings else Site()
    return DockerRenderer(instance), KubernetesRenderer(replace(site, instance=instance))


def engines_to_check() -> tuple[str, tuple[Renderer, ...]]:
    """Name the engine that the settings choose, and give them all; whoever runs nothing is as good as docker.

    Settings are read only where an engine is chosen: it takes longer than all the rest of a check.
    """
    if not os.environ.get("CONDUCTOR_ENGINE"):
        return "docker", renderers()
    settings = load_settings()
    return "docker" if settings.engine == "fake" else settings.engine, renderers(settings)


def leave_sweeper(settings: Settings) -> None:
    """Leave a detached process behind that removes what is over and ends with the last lease. One of a state folder is enough."""
    environment = {**os.environ, "CONDUCTOR_STATE": str(settings.state)}
    with (settings.state / "sweeper.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "conductor.cli.main", "sweep", "--until-empty"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )


@contextmanager
def the_only_sweeper(settings: Settings) -> Iterator[None]:
    """Hold the sweeper's lock. ConflictError where another process sweeps this state folder already."""
    with (settings.state / "sweeper.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another sweeper is at work", remedy="It ends with the last lease.") from None
        yield


def _engine(settings: Settings, secrets: Secrets, images: Registry | None) -> tuple[Engine, Builder]:
    if settings.engine == "fake":
        from conductor.adapters.fake.builder import FakeBuilder
        from conductor.adapters.fake.engine import FakeEngine

        return FakeEngine(settings.state, instance=settings.instance), FakeBuilder(settings.state)
    if settings.engine == "kubernetes":
        return _cluster(settings, secrets, images)
    from conductor.adapters.docker.builder import DockerBuilder
    from conductor.adapters.docker.connection.client import Connection
    from conductor.adapters.docker.engine import DockerEngine

    connection = Connection(state_folder=settings.state, url=settings.docker_host or "")
    engine = DockerEngine(
        connection=connection, instance=settings.instance, state_folder=settings.state, secrets=secrets
    )
    builder = DockerBuilder(connection)
    if images is None:
        return engine, builder
    from conductor.adapters.docker.publishing import PublishingBuilder

    return engine, PublishingBuilder(builder, connection, images, insecure=settings.registry_insecure)


def _cluster(settings: Settings, secrets: Secrets, images: Registry | None) -> tuple[Engine, Builder]:
    """Without a registry nothing is built: pods could get it from nowhere."""
    from conductor.adapters.kubernetes.api.connection import Connection
    from conductor.adapters.kubernetes.builder import NoBuilder
    from conductor.adapters.kubernetes.engine import KubernetesEngine

    connection = Connection(kubeconfig=settings.kubeconfig or "", context=settings.kube_context or "")
    site = _site(settings)
    engine = KubernetesEngine(connection, site=site, secrets=secrets, registry=images)
    if images is None:
        return engine, NoBuilder()
    from conductor.adapters.kubernetes.kaniko.builder import KanikoBuilder
    from conductor.adapters.kubernetes.kaniko.configuring import configured

    return engine, KanikoBuilder(connection, images, site=site, kaniko=configured(settings))


async def serve_gate() -> None:
    """Guard the addresses of a stack, as the environment describes them, until cancelled."""
    from conductor.adapters.gate.server import serve

    await serve()


def _addresses(settings: Settings) -> Addresses | None:
    from conductor.adapters.kubernetes.manifests.site import Addresses

    if not settings.ingress_domain:
        return None
    return Addresses(
        domain=settings.ingress_domain,
        key=settings.gate_key.get_secret_value() if settings.gate_key else "",
        scheme=settings.ingress_scheme,
        ingress_class=settings.ingress_class,
        gateway=settings.gateway,
        namespaces=settings.ingress_namespaces,
        image=settings.gate_image,
    )


def _site(settings: Settings) -> Site:
    from conductor.adapters.kubernetes.manifests.site import PULL_SECRET, Site

    usual = Site()
    return Site(
        instance=settings.instance,
        role=settings.kube_role,
        egress=settings.egress,
        callers=settings.callers,
        name_servers=settings.dns_namespaces,
        pull_secrets=(*settings.pull_secrets, *((PULL_SECRET,) if settings.registry_pull_user else ())),
        tools_image=settings.tools_image,
        storage_class=settings.storage_class,
        volume_size=settings.volume_size,
        addresses=_addresses(settings),
        default_limits={**usual.default_limits, **settings.limits},
        default_requests={**usual.default_requests, **settings.requests},
        quota={**usual.quota, **settings.quota},
    )


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"the state folder {folder} cannot be made: {error.strerror}",
            remedy="Name another one with --state or CONDUCTOR_STATE.",
        ) from error
    return folder
