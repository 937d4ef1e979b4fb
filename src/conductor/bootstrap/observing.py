"""What watches a process: figures, dashboards, logs and traces go where the settings say. Nothing that fails here is a run's failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from conductor.errors import ConductorError

if TYPE_CHECKING:
    from conductor.bootstrap.worlds import App

_log = logging.getLogger(__name__)


async def push_figures(app: App) -> None:
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
