"""`/metrics` in the format of Prometheus: the queue, what stands, young runs, what this process did, who follows, how fast answers are.

Gauges of what is the same on every replica (queue, stacks, environments, young runs) are read from the records when asked: take the maximum
over replicas, not the sum. Counters and histograms are of this process: add them up.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conductor.domain.access import Token
from conductor.domain.environment import EnvironmentStatus
from conductor.domain.queue import Standing
from conductor.operations.serving import ServerState
from conductor.ports.news import News
from conductor.web.figures import Figures
from conductor.web.problems import HttpProblem
from conductor.web.site import Site, site_of
from conductor.web.young_runs import YoungRuns

router = APIRouter(tags=["health"])
MOST_ENVIRONMENTS = 1000
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.answers = Histogram(
            "conductor_http_request_seconds",
            "Time to the beginning of an answer",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.queue = Gauge("conductor_queue_entries", "Runs in the queue", ["standing"], registry=registry)
        self.age = Gauge("conductor_queue_oldest_seconds", "How long the oldest run waits", registry=registry)
        self.draining = Gauge("conductor_queue_draining", "Nothing new is admitted", registry=registry)
        self.stacks = Gauge("conductor_stacks", "Stacks that stand", ["status"], registry=registry)
        self.leaks = Gauge("conductor_leaks", "What could not be removed", registry=registry)
        self.failing = Gauge(
            "conductor_loop_failing", "Its last turn went wrong", ["loop"], registry=registry
        )
        self.followers = Gauge("conductor_followers", "Who follows runs now", registry=registry)
        self.environments = Gauge(
            "conductor_environments",
            "Development environments that are not over",
            ["status"],
            registry=registry,
        )
        self.swept = Counter(
            "conductor_swept",
            "What the sweeper removed: namespaces, things in them, images; and leaks, which it could not remove",
            ["what"],
            registry=registry,
        )
        self.done = Counter("conductor_done", "What the loops did", ["what"], registry=registry)
        self.calls = Counter(
            "conductor_mcp_calls",
            "Calls of tools over MCP, answered or refused",
            ["tool", "result"],
            registry=registry,
        )
        self.figures = Figures(registry)
        self.young = YoungRuns(registry)
        self._counted: Tally[str] = Tally()
        self._called: Tally[tuple[str, str]] = Tally()

    async def read(self, site: Site) -> bytes:
        """Bring everything up to date and write it."""
        await self._read_queue(site)
        standing = Tally(str(one.status) for one in await site.world.store.leases() if not one.is_environment)
        for status in ("active", "kept", "sleeping", "deleting"):
            self.stacks.labels(status).set(standing[status])
        await self._read_environments(site)
        self.leaks.set(len(site.state.leaks))
        for loop in site.state.bells:
            self.failing.labels(loop).set(loop in site.state.failing)
        self.followers.set(site.following.followers)
        await self.young.read(site.world)
        self._count(site.state)
        self._count_calls(site.world.news)
        return generate_latest(self.registry)

    async def _read_queue(self, site: Site) -> None:
        entries = await site.service.queue.entries()
        for standing in Standing:
            self.queue.labels(str(standing)).set(sum(one.standing is standing for one in entries))
        waiting = [one.enqueued_at for one in entries if one.standing is Standing.WAITING]
        now = site.world.clock.now()
        self.age.set((now - min(waiting)).total_seconds() if waiting else 0)
        self.draining.set(await site.service.queue.is_draining())

    async def _read_environments(self, site: Site) -> None:
        found = site.world.environments
        rows = (
            await found.list_environments(
                statuses=[one for one in EnvironmentStatus if not one.is_over], limit=MOST_ENVIRONMENTS
            )
            if found
            else ()
        )
        standing = Tally(str(one.state.status) for one in rows)
        for status in EnvironmentStatus:
            if not status.is_over:
                self.environments.labels(str(status)).set(standing[str(status)])

    def _count(self, state: ServerState) -> None:
        for what, number in (state.counts - self._counted).items():
            self.done.labels(what).inc(number)
            if what.startswith("swept."):
                self.swept.labels(what.removeprefix("swept.")).inc(number)
        self._counted = Tally(state.counts)

    def _count_calls(self, news: News) -> None:
        for labels, number in (news.calls - self._called).items():
            self.calls.labels(*labels).inc(number)
        self._called = Tally(news.calls)


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Figures."}},
)
async def metrics(request: Request, site: Annotated[Site, Depends(site_of)]) -> Response:
    """Give the figures in the format of Prometheus. They tell of every repository: a token bound to some does not see them."""
    token = request.scope.get("state", {}).get("token")
    if isinstance(token, Token) and token.repositories:
        raise HttpProblem(
            403, "a token bound to repositories sees no figures of all of them", remedy="Use another."
        )
    found = request.app.state.metrics
    assert isinstance(found, Metrics)  # noqa: S101 -- `app.create` put it there
    return Response(await found.read(site), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """Measures the time to the beginning of each answer, by route and never by address."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = (_method(scope), _route(scope), str(message["status"]))
                self._metrics.answers.labels(*labels).observe(time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, sending)


def _route(scope: Scope) -> str:
    """Name what answered: of those there are few, whatever is asked for."""
    endpoint = scope.get("endpoint")
    room = getattr(endpoint, "__module__", "").rpartition(".")[2]
    name = getattr(endpoint, "__name__", "")
    return f"{room}.{name}" if name else "none"


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} else "other"
