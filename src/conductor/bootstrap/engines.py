"""Engines, builders and registries, as the settings choose them. Each adapter is imported when it is chosen."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.adapters.kubernetes.kaniko.builder import TokenFor
    from conductor.adapters.kubernetes.manifests.site import Addresses, Site, Writer
    from conductor.ports.builder import Builder
    from conductor.ports.engine import Engine, Renderer
    from conductor.ports.registry import Registry
    from conductor.ports.secrets import Secrets
    from conductor.ports.usage import Meter
    from conductor.settings import Settings


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Engine]:
    """Give the engine and nothing else, for whoever looks what is wrong: it may be the state folder."""
    from conductor.adapters.secrets.embedded import EmbeddedSecrets

    engine, _ = engine_of(settings, EmbeddedSecrets(), None)
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


def renderers(settings: Settings | None = None, *, instance: str = "conductor") -> tuple[Renderer, ...]:
    """Give the pure half of each engine: what it would be told, and what it refuses. Nothing is reached.

    `settings` say what the cluster is like, where one is meant. `instance` is a name that is the same on every machine.
    """
    from conductor.adapters.docker.renderer import DockerRenderer
    from conductor.adapters.kubernetes.manifests.site import Site
    from conductor.adapters.kubernetes.renderer import KubernetesRenderer

    site = site_of(settings) if settings else Site()
    return DockerRenderer(instance), KubernetesRenderer(replace(site, instance=instance))


def engines_to_check() -> tuple[str, tuple[Renderer, ...]]:
    """Name the engine that the settings choose, and give them all; whoever runs nothing is as good as docker.

    Settings are read only where an engine is chosen: it takes longer than all the rest of a check.
    """
    if not os.environ.get("CONDUCTOR_ENGINE"):
        return "docker", renderers()
    from conductor.settings import read_settings

    settings = read_settings()
    return "docker" if settings.engine == "fake" else settings.engine, renderers(settings)


def engine_of(
    settings: Settings, secrets: Secrets, images: Registry | None, build_token_for: TokenFor | None = None
) -> tuple[Engine, Builder]:
    """Make the engine that the settings name, and what builds images for it. Nothing is reached yet."""
    if settings.engine == "fake":
        from conductor.adapters.fake.builder import FakeBuilder
        from conductor.adapters.fake.engine import FakeEngine

        return FakeEngine(settings.state, instance=settings.instance), FakeBuilder(settings.state)
    if settings.engine == "kubernetes":
        return _cluster(settings, secrets, images, build_token_for)
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


def meter_of(engine: Engine) -> Meter | None:
    """Return the engine as what tells how much is used, where it can."""
    from conductor.ports.usage import Meter

    return engine if isinstance(engine, Meter) else None


def _cluster(
    settings: Settings, secrets: Secrets, images: Registry | None, token_for: TokenFor | None
) -> tuple[Engine, Builder]:
    """Without a registry nothing is built: pods could get it from nowhere."""
    from conductor.adapters.kubernetes.api.connection import Connection
    from conductor.adapters.kubernetes.builder import NoBuilder
    from conductor.adapters.kubernetes.engine import KubernetesEngine

    connection = Connection(kubeconfig=settings.kubeconfig or "", context=settings.kube_context or "")
    site = site_of(settings)
    engine = KubernetesEngine(connection, site=site, secrets=secrets, registry=images)
    if images is None:
        return engine, NoBuilder()
    from conductor.adapters.kubernetes.kaniko.builder import KanikoBuilder
    from conductor.adapters.kubernetes.kaniko.configuring import configured

    kaniko = configured(settings)
    if settings.build_git_token:
        token_for = None
    return engine, KanikoBuilder(connection, images, site=site, kaniko=kaniko, token_for=token_for)


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


def _writer(settings: Settings) -> Writer | None:
    from conductor.adapters.kubernetes.manifests.site import Writer

    if settings.secrets != "github":
        return None
    namespace, _, account = settings.secrets_account.partition("/")
    return Writer(namespace=namespace, account=account, role=settings.secrets_role)


def site_of(settings: Settings) -> Site:
    """Say what the cluster is like."""
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
        writer=_writer(settings),
        addresses=_addresses(settings),
        default_limits={**usual.default_limits, **settings.limits},
        default_requests={**usual.default_requests, **settings.requests},
        quota={**usual.quota, **settings.quota},
    )
