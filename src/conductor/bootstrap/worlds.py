"""Worlds: `reading` is enough for whatever only looks or talks to the engine; `running` launches durable execution on top.

Adapters and the workflow library are imported when they are chosen, so that what needs neither answers at once; so are settings and log.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.bootstrap.attesting import attester
from conductor.bootstrap.engines import engine_of, meter_of, registry
from conductor.bootstrap.forges import build_token_for, github_of, token_for
from conductor.bootstrap.observing import attach, dashboards_of
from conductor.bootstrap.secrets import synced
from conductor.errors import ConductorError, StateError

if TYPE_CHECKING:
    from conductor.adapters.github.hosting import GitHubHosting
    from conductor.adapters.stores.statements import Database
    from conductor.ports.engine import Engine
    from conductor.ports.issues import Tracking
    from conductor.ports.secrets import Secrets
    from conductor.ports.world import World
    from conductor.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """A process of Conductor: its settings, and the world that they chose."""

    settings: Settings
    world: World
    database: Database
    """Where the world's records are; those of a server are there too."""
    tracking: Tracking
    github: GitHubHosting | None = None


def load_settings(state: Path | None = None) -> Settings:
    """Read `CONDUCTOR_*`; `state` overrides the state folder. Raises ConfigurationError naming every bad value."""
    from conductor.settings import read_settings

    return read_settings(state=state)


@asynccontextmanager
async def reading(settings: Settings, *, at_once: bool = False) -> AsyncIterator[App]:
    """Give a world without durable execution; the engine is reached when first asked, or `at_once`, beside all else."""
    from conductor import telemetry
    from conductor.adapters.evidence.folder import FolderEvidence
    from conductor.adapters.folder.forge import FolderForge
    from conductor.adapters.folder.git import Token
    from conductor.adapters.secrets.embedded import EmbeddedSecrets
    from conductor.adapters.system.clock import SystemClock

    state = make_folder(settings.state)
    token = settings.git_token
    async with AsyncExitStack() as opened:
        github = github_of(settings, opened)
        forge = FolderForge(
            token=Token(settings.git_host, token.get_secret_value()) if token else None,
            token_for=token_for(github),
            push_token_for=github.push_token_for if github else None,
        )
        secrets: Secrets = EmbeddedSecrets(carries=forge.carries)
        images = await opened.enter_async_context(registry(settings))
        engine, builder = engine_of(settings, secrets, images, build_token_for(github))
        if settings.secrets == "github":
            secrets = synced(settings, engine, github)
        attesting = attester(settings, opened)
        await opened.enter_async_context(_met(engine, at_once=at_once))
        await asyncio.to_thread(_import, _FOR_READING)
        from conductor.adapters.stores.environments import SqlEnvironments
        from conductor.adapters.stores.history import SqlHistory
        from conductor.adapters.stores.sql import SqlStore
        from conductor.bootstrap.keeping import retention_of, tariff_of
        from conductor.bootstrap.tracking import tracking_of
        from conductor.bootstrap.workspaces import workspace_rules, workspaces_of
        from conductor.domain.budget import Budget
        from conductor.domain.scan import Severity
        from conductor.ports.world import World, install

        store = await SqlStore.open(settings.database_url or state / "conductor.db")
        telemetry.configure(level=settings.log, form=settings.log_format)
        world = World(
            engine=engine,
            builder=builder,
            forge=forge,
            store=store,
            evidence=FolderEvidence(state, on_lines=store.news.logged),
            secrets=secrets,
            clock=SystemClock(),
            budget=Budget(namespaces=settings.max_stacks, images=settings.registry_keep),
            history=SqlHistory(store.database),
            tariff=tariff_of(settings),
            retention=retention_of(settings),
            registry=images,
            attester=attesting,
            meter=meter_of(engine),
            dashboards=dashboards_of(settings, opened),
            news=store.news,
            environments=SqlEnvironments(store.database),
            workspaces=workspaces_of(settings, engine, opened),
            workspace=workspace_rules(settings),
            workflows=github.workflows if github else None,
            scan_gate=Severity(settings.scan_fail_on.title()) if settings.scan_fail_on else None,
        )
        install(world)
        tracking = tracking_of(settings, store.database, world.clock, github)
        try:
            async with AsyncExitStack() as watching:
                await attach(settings, world, watching)
                yield App(
                    settings=settings, world=world, database=store.database, tracking=tracking, github=github
                )
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

        await durable.launch(settings.state, database=settings.database_url)
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


def make_folder(folder: Path) -> Path:
    """Make the state folder where it is missing. StateError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"the state folder {folder} cannot be made: {error.strerror}",
            remedy="Name another one with --state or CONDUCTOR_STATE.",
        ) from error
    return folder
