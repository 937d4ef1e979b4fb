"""`Spans`: what a process puts on record becomes spans, sent by OTLP over HTTP beside all else.

Laws. Ids are worked out from the run: another process that goes on with a run goes on with its trace, and a step knows the span that it is
part of before that has ended. A span is sent when it is over, with the times of the record. A collector that is away costs nobody anything:
what waits is bounded, and goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from conductor.domain.event import Event, Kind
from conductor.telemetry import span_id, trace_id

PATIENCE_SECONDS = 5.0
MAKE_IMAGE = "make-image"
"""The step that a build is part of."""
Attributes = Mapping[str, str | int | float | bool]


class Spans:
    """The spans of one process, on their way."""

    def __init__(self, processor: SpanProcessor, *, instance: str) -> None:
        self._ids = _Given()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            id_generator=self._ids,
            resource=Resource({"service.name": "conductor", "service.instance.id": instance}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("conductor")
        self._by_kind: Mapping[Kind, Callable[[Event], None]] = {
            Kind.RUN_ENDED: self._run_ended,
            Kind.STEP_ENDED: self._step_ended,
            Kind.BUILD_ENDED: self._build_ended,
        }

    def heard(self, event: Event) -> None:
        """Make a span of an event that ends something."""
        if make := self._by_kind.get(event.kind):
            make(event)

    def close(self) -> None:
        """Send what waits, and end; takes a few seconds at most."""
        self._provider.shutdown()

    def _run_ended(self, event: Event) -> None:
        data, attempt = event.data, str(event.data.get("attempt", 1))
        words = {name: str(data.get(name) or "") for name in ("repository", "verdict", "reason", "fault")}
        self._made(event, f"run {event.run}", (attempt,), parent=None, seconds=float(data.get("seconds", 0)),
                   attributes={**words, "attempt": int(attempt)}, error=_why(data))  # fmt: skip

    def _step_ended(self, event: Event) -> None:
        attempt, of = event.key.split("/")[1], str(event.data.get("subject", ""))
        self._made(event, f"{event.subject} {of}".strip(), (attempt, event.subject, of), parent=(attempt,),
                   seconds=float(event.data.get("seconds", 0)), attributes={"step": event.subject, "subject": of},
                   error=str(event.data.get("error", "")))  # fmt: skip

    def _build_ended(self, event: Event) -> None:
        attempt, began = event.key.split("/")[0], event.key.rpartition("/")[2]
        seconds = (event.at - datetime.fromisoformat(began)).total_seconds()
        attributes: Attributes = {
            "image": event.subject,
            "cached": bool(event.data.get("cached")),
            "digest": str(event.data.get("digest", "")),
        }
        self._made(event, f"build {event.subject}", (attempt, "build", event.subject, began),
                   parent=(attempt, MAKE_IMAGE, event.subject), seconds=seconds, attributes=attributes,
                   error=str(event.data.get("error", "")))  # fmt: skip

    def _made(
        self,
        event: Event,
        name: str,
        of: tuple[str, ...],
        *,
        parent: tuple[str, ...] | None,
        seconds: float,
        attributes: Attributes,
        error: str,
    ) -> None:
        self._ids.trace, self._ids.span = trace_id(event.run), span_id(event.run, *of)
        above = None if parent is None else _context(event.run, parent)
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(above)) if above else None,
            start_time=_nanoseconds(event.at - timedelta(seconds=seconds)),
            attributes={
                "conductor.run": event.run,
                **{f"conductor.{key}": value for key, value in attributes.items()},
            },
        )
        if error:
            span.set_status(Status(StatusCode.ERROR, error[:1000]))
        span.end(_nanoseconds(event.at))


def exporting(address: str, *, instance: str) -> Spans:
    """Send spans to what takes OTLP at this address."""
    exporter = OTLPSpanExporter(endpoint=f"{address}/v1/traces", timeout=PATIENCE_SECONDS)
    return Spans(BatchSpanProcessor(exporter, schedule_delay_millis=1000), instance=instance)


class _Given(IdGenerator):
    """Gives the ids that were worked out for the span that is just made."""

    trace = span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


def _context(run: str, of: tuple[str, ...]) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_id(run), span_id(run, *of), is_remote=True, trace_flags=flags)


def _why(data: Mapping[str, object]) -> str:
    return "" if data.get("verdict") == "passed" else str(data.get("message") or data.get("verdict") or "")


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
