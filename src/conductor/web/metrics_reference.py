"""The reference page of all metrics, made of the metrics themselves: `python -m conductor.web.metrics_reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from conductor.web.metrics import Metrics

_TOP = """# Metrics

`GET /metrics` of `conductor serve`, in the format of Prometheus. It asks for a token, unless `CONDUCTOR_METRICS_OPEN` is set.
[Observe](../howto/observe.md) says how to have them scraped, and what dashboards and alerts there are.

Counters and histograms are of one process: add them up over replicas (`sum(rate(...))`); each fact is counted by the one process that
put it on record. Gauges are read from the records that replicas share: take the maximum (`max without (instance, pod)`).
`conductor_run_*` gauges bear a run's name, and are there while it is at work and for an hour after, of the 100 runs that were asked
for last; Prometheus keeps what it scraped.

<!-- Generated from src/conductor/web/metrics.py, figures.py and young_runs.py; a test compares them. -->

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def reference() -> str:
    """Write the page."""
    metrics = Metrics()
    rows = dict((*_of_processes(metrics), *_of_runs(metrics)))
    return _TOP + "".join(f"{rows[name]}\n" for name in sorted(rows))


def _of_processes(metrics: Metrics) -> Iterator[tuple[str, str]]:
    for one in (*vars(metrics).values(), *vars(metrics.figures).values()):
        if isinstance(one, MetricWrapperBase):
            (family,) = one.describe()
            yield _row(family, one._labelnames)  # noqa: SLF001 -- the library tells them nowhere else


def _of_runs(metrics: Metrics) -> Iterator[tuple[str, str]]:
    for family in metrics.young.collect():
        yield _row(family, family._labelnames)  # noqa: SLF001 -- as above


def _row(family: Metric, labels: tuple[str, ...]) -> tuple[str, str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    named = ", ".join(f"`{label}`" for label in labels)
    return name, f"| `{name}` | {family.type} | {named} | {family.documentation} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
