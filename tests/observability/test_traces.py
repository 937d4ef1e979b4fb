"""A run is a trace: its stages and builds are spans, a run that goes on elsewhere goes on with it, and log lines bear the ids."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conductor import telemetry
from conductor.adapters.stores.sql import SqlStore
from conductor.adapters.traces.spans import Spans
from conductor.telemetry import span_id, trace_id
from tests.observability.test_pushing import run_the_shop
from tests.registries.serving import free_port, serving
from tests.scenarios.stage import Stage


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def stage(tmp_path: Path, exported: InMemorySpanExporter) -> AsyncIterator[Stage]:
    store = await SqlStore.open(tmp_path / "records.db")
    store.news.on_events(Spans(SimpleSpanProcessor(exported), instance="one").heard)
    made = Stage(tmp_path)
    made.world = replace(made.world, store=store, news=store.news)
    async with made.launched():
        yield made
    await store.aclose()


async def test_stages_and_builds_are_spans_of_the_runs_trace(stage: Stage, exported: InMemorySpanExporter):
    run = await stage.request()
    await (await stage.start(run)).result()
    spans = {span.name: span for span in exported.get_finished_spans()}
    assert {span.context.trace_id for span in spans.values()} == {trace_id(run.id)}
    root = spans[f"run {run.id}"]
    assert root.parent is None
    assert attributes(root)["conductor.verdict"] == "passed"
    assert {"clone", "raise-stack", "await-tests tests", "finish-run"} <= spans.keys()
    assert parent(spans["clone"]) == root.context.span_id == span_id(run.id, "1")
    assert parent(spans["build tests/tests"]) == spans["make-image tests/tests"].context.span_id
    clone = next(one for one in await stage.world.store.steps(run.id, 1) if one.name == "clone")
    assert spans["clone"].start_time == int(clone.started_at.timestamp() * 1e6) * 1000
    assert begins(root) <= min(map(begins, spans.values()))


async def test_a_run_that_was_told_again_makes_no_span_twice(stage: Stage, exported: InMemorySpanExporter):
    run = await stage.request()
    await (await stage.start(run)).result()
    before = len(exported.get_finished_spans())
    for event in await stage.world.store.events(run.id):
        await stage.world.store.append(replace(event, at=event.at.replace(year=2027)))
    assert len(exported.get_finished_spans()) == before


async def test_spans_arrive_by_otlp_and_a_collector_that_is_away_changes_no_verdict(tmp_path: Path):

    taken: list[str] = []

    async def take(request: Request) -> Response:
        sent = ExportTraceServiceRequest.FromString(await request.body())
        for group in sent.resource_spans:
            taken.extend(span.name for scope in group.scope_spans for span in scope.spans)
        return Response(status_code=200)

    async with serving(Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])) as url:
        done = await asyncio.to_thread(run_the_shop, tmp_path, "", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert done.returncode == 0, done.stderr
    assert len([name for name in taken if name.startswith("run shop-")]) == 1
    assert {"clone", "read-plan", "capture-logs"} <= {*taken}
    away = f"http://127.0.0.1:{free_port()}"
    done = await asyncio.to_thread(run_the_shop, tmp_path, "", CONDUCTOR_TRACES=away)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def quiet_again() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    telemetry._tracing.clear()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("quiet_again")
def test_log_lines_bear_the_ids_once_traces_are_on():
    out = io.StringIO()
    telemetry.configure(level="info", stream=out)
    with telemetry.bound(run="shop-k3v9qd", step="clone"):
        logging.getLogger("x").warning("before")
        telemetry.bear_trace_ids()
        logging.getLogger("x").warning("after")
    before, after = (json.loads(line) for line in out.getvalue().splitlines())
    assert "trace_id" not in before
    assert after["trace_id"] == f"{trace_id('shop-k3v9qd'):032x}"
    assert after["span_id"] == f"{span_id('shop-k3v9qd', '1', 'clone', ''):016x}"


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def begins(span: ReadableSpan) -> int:
    assert span.start_time is not None
    return span.start_time
