"""What watches a process: figures, dashboards, logs and traces go where the settings say. Nothing that fails here is a run's failure."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from conductor.errors import ConductorError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from conductor.bootstrap.worlds import App
    from conductor.ports.dashboards import Dashboards
    from conductor.ports.world import World
    from conductor.settings import Settings

_log = logging.getLogger(__name__)


def dashboards_of(settings: Settings, opened: AsyncExitStack) -> Dashboards | None:
    """Give what makes dashboards, where a Grafana and a token for it are set."""
    token = settings.grafana_secret
    if not settings.grafana_url or not token:
        return None
    from conductor.adapters.grafana.building import Sources
    from conductor.adapters.grafana.dashboards import GrafanaDashboards

    made = GrafanaDashboards(
        settings.grafana_url,
        token,
        instance=settings.instance,
        folder=settings.grafana_folder,
        public_url=settings.grafana_public_url,
        conductor_url=settings.public_url,
        sources=Sources(prometheus=settings.grafana_prometheus, loki=settings.grafana_loki),
    )
    opened.push_async_callback(made.aclose)
    return made


async def attach(settings: Settings, world: World, opened: AsyncExitStack) -> None:
    """Have logs and traces leave, where the settings say where to."""
    if settings.loki_url:
        await _push_logs(settings, world, opened)
    if settings.traces_to:
        _send_traces(settings, world, opened)


def _send_traces(settings: Settings, world: World, opened: AsyncExitStack) -> None:
    try:
        from conductor.adapters.traces.spans import exporting
    except ImportError:
        _log.warning("no traces are sent: pip install conductor[traces]")
        return
    from conductor import telemetry

    spans = exporting(settings.traces_to, instance=settings.instance)
    opened.push_async_callback(asyncio.to_thread, spans.close)
    world.news.on_events(spans.heard)
    telemetry.bear_trace_ids()


async def _push_logs(settings: Settings, world: World, opened: AsyncExitStack) -> None:
    from conductor.adapters.loki.pushing import LokiPush

    token = settings.loki_token.get_secret_value() if settings.loki_token else ""
    pushing = LokiPush(
        settings.loki_url, describe=partial(_labels, world), token=token, tenant=settings.loki_tenant
    )
    pushing.start()
    opened.push_async_callback(pushing.aclose)
    world.news.on_lines(pushing.heard)


async def _labels(world: World, name: str, attempt: int) -> dict[str, str]:
    """Say whose lines they are, in the words that Alloy's configuration uses too."""
    row = await world.store.find_run(name, attempt=attempt)
    if row:
        return {"repository": row.run.repository, "run": name, "environment": row.run.environment}
    found = await world.environments.find(name) if world.environments else None
    if found:
        return {
            "repository": found.environment.repository,
            "run": name,
            "environment": found.environment.environment,
        }
    return {"run": name}


async def tell_outside(app: App) -> None:
    """At the end of a run without a server: push its figures, and have its dashboard."""
    await _push_figures(app)
    if app.world.dashboards:
        from conductor.operations.dashboards import keep_dashboards

        try:
            await keep_dashboards(app.world)
        except ConductorError as error:
            _log.warning("%s", error.message)


async def _push_figures(app: App) -> None:
    """Push what is known of young runs, where a Pushgateway is set; one that does not take it is warned of, and that is all."""
    gateway = app.settings.pushgateway
    if not gateway:
        return
    from prometheus_client import CollectorRegistry, generate_latest

    from conductor.adapters.prometheus.pushing import push
    from conductor.web.young_runs import YoungRuns

    registry = CollectorRegistry()
    try:
        young = YoungRuns(registry)
        await young.read(app.world)
        await push(gateway, app.settings.instance, generate_latest(registry))
    except ConductorError as error:
        _log.warning("%s", error.message)
