"""The application: a service in, everything that a server answers out."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse

from conductor.operations.following import Following
from conductor.operations.serving import ServerState
from conductor.ports.service import Service
from conductor.settings import Settings
from conductor.web import health, metrics, openapi, problems, webhooks
from conductor.web.api import (
    claims,
    environments,
    evidence,
    history,
    issues,
    queue,
    runs,
    server,
    stacks,
    tokens,
)
from conductor.web.auth import Guard, Limit
from conductor.web.headers import SafeHeaders
from conductor.web.metrics import Measured, Metrics
from conductor.web.pages.router import router as pages
from conductor.web.site import Site

BASE = "/api/v1"


def create(
    service: Service,
    *,
    state: ServerState | None = None,
    settings: Settings | None = None,
    following: Following | None = None,
) -> FastAPI:
    """Make it. `state` is that of the loops beside it; without one nothing is woken, and what waits is found in its time."""
    state = state or ServerState(started_at=service.world.clock.now())
    following = following or Following(service.world, is_stopping=lambda: state.is_stopping)
    app = answering(metrics_open=bool(settings and settings.metrics_open))
    app.state.site = Site(service=service, state=state, following=following, settings=settings)
    app.state.metrics = Metrics()
    service.world.news.on_events(app.state.metrics.figures.heard)
    also_open = ("/metrics",) if app.state.metrics_open else ()
    app.add_middleware(Limit)
    app.add_middleware(Guard, service=service, also_open=also_open)
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(SafeHeaders)
    return app


def answering(*, metrics_open: bool = False) -> FastAPI:
    """Make what answers, without anything behind it: enough for its description."""
    app = FastAPI(
        title="Conductor",
        version=version("conductor"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.metrics_open = metrics_open
    for router in (health.router, metrics.router, webhooks.router, _api(), pages):
        app.include_router(router)
    _add_description(app)
    problems.install(app)
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix=BASE)
    for module in (runs, evidence, history, stacks, environments, issues, claims, queue, tokens, server):
        api.include_router(module.router)
    return api


def _add_description(app: FastAPI) -> None:
    async def description(_: Request) -> JSONResponse:
        """Give the API's description."""
        return JSONResponse(openapi.describe(app))

    app.add_route("/openapi.json", description, include_in_schema=False)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
