"""A small builder of dashboards: panels in rows of 24 columns, as Grafana's schema of dashboards has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
SCHEMA_VERSION = 41
COLUMNS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The data sources, by their uids. Without Loki dashboards show no logs."""

    prometheus: str = "prometheus"
    loki: str = "loki"


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel: what it asks, and how it shows the answers. `legend` has labels in double braces."""

    title: str
    type: str
    queries: Sequence[tuple[str, str]]
    """Each query, with its legend."""
    unit: str = "short"
    width: int = 8
    height: int = 8
    instant: bool = False
    logs: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    def drawn(self, number: int, x: int, y: int, sources: Sources) -> Json:
        """Return it as Grafana has it."""
        source = _source("loki", sources.loki) if self.logs else _source("prometheus", sources.prometheus)
        return {
            "id": number,
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "datasource": source,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                self._target(letter, query, legend, source)
                for letter, (query, legend) in zip("ABCDEFGH", self.queries, strict=False)
            ],
            "fieldConfig": {"defaults": {"unit": self.unit, "custom": {}}, "overrides": []},
            "options": dict(self.options),
        }

    def _target(self, letter: str, query: str, legend: str, source: Json) -> Json:
        target = {"refId": letter, "datasource": source, "expr": query, "legendFormat": legend}
        if self.logs:
            return {**target, "queryType": "range"}
        return {
            **target,
            "instant": self.instant,
            "range": not self.instant,
            "format": "table" if self.type == "table" else "time_series",
        }


LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def number(title: str, query: str, legend: str = "", *, unit: str = "short", width: int = 4) -> Panel:
    """Show one number."""
    options = {
        "reduceOptions": LAST,
        "textMode": "value_and_name" if legend else "value",
        "colorMode": "none",
    }
    return Panel(
        title=title,
        type="stat",
        queries=[(query, legend)],
        unit=unit,
        width=width,
        height=4,
        instant=True,
        options=options,
    )


def bars(
    title: str, query: str, legend: str, *, unit: str = "short", width: int = 12, height: int = 10
) -> Panel:
    """Show numbers side by side as they stand now."""
    options = {"reduceOptions": LAST, "orientation": "horizontal", "displayMode": "basic"}
    return Panel(
        title=title,
        type="bargauge",
        queries=[(query, legend)],
        unit=unit,
        width=width,
        height=height,
        instant=True,
        options=options,
    )


def lines(title: str, *queries: tuple[str, str], unit: str = "short", width: int = 12) -> Panel:
    """Show how numbers went over time."""
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel(title=title, type="timeseries", queries=queries, unit=unit, width=width, options=options)


def logs(title: str, query: str) -> Panel:
    """Show lines of logs."""
    options = {
        "showTime": True,
        "wrapLogMessage": True,
        "sortOrder": "Ascending",
        "enableLogDetails": True,
        "dedupStrategy": "none",
    }
    return Panel(
        title=title, type="logs", queries=[(query, "")], width=COLUMNS, height=14, logs=True, options=options
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What a dashboard shows. `annotations` are queries whose values are times in milliseconds, with their text."""

    title: str
    panels: Sequence[Panel]
    span: str = "1h"
    annotations: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Names that are chosen at the top of the page, and the query of their values."""
    links: Mapping[str, str] = field(default_factory=dict)


def drawn(design: Design, *, uid: str, tags: Sequence[str], sources: Sources) -> Json:
    """Return the dashboard as Grafana takes it."""
    source = _source("prometheus", sources.prometheus)
    panels = [panel for panel in design.panels if sources.loki or not panel.logs]
    return {
        "uid": uid,
        "title": design.title,
        "tags": list(tags),
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "schemaVersion": SCHEMA_VERSION,
        "time": {"from": f"now-{design.span}", "to": "now"},
        "templating": {"list": [_variable(name, query, source) for name, query in design.variables.items()]},
        "annotations": {
            "list": [_annotation(name, *what, source) for name, what in design.annotations.items()]
        },
        "links": [_link(name, url) for name, url in design.links.items()],
        "panels": list(_placed(panels, sources)),
    }


def _placed(panels: Sequence[Panel], sources: Sources) -> Sequence[Json]:
    """Put panels beside each other as long as there is room, then below."""
    placed: list[Json] = []
    x = y = tallest = 0
    for index, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        placed.append(panel.drawn(index, x, y, sources))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed


def _source(kind: str, uid: str) -> Json:
    return {"type": kind, "uid": uid}


def _variable(name: str, query: str, source: Json) -> Json:
    return {
        "type": "query",
        "name": name,
        "label": name,
        "datasource": source,
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 1,
    }


def _annotation(name: str, query: str, text: str, source: Json) -> Json:
    return {
        "name": name,
        "datasource": source,
        "enable": True,
        "iconColor": "blue",
        "expr": query,
        "titleFormat": text,
        "useValueForTime": True,
        "target": {"refId": "Anno", "expr": query, "range": True},
    }


def _link(name: str, url: str) -> Json:
    return {
        "title": name, "type": "link", "url": url, "icon": "external link", "tooltip": "", "tags": [], "asDropdown": False,
        "targetBlank": True, "includeVars": False, "keepTime": False,
    }  # fmt: skip
