"""Dashboards for a Grafana that Conductor has no token for: of the fleet, and of a repository, a run, an environment chosen on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conductor.adapters.grafana.building import Design, Json, Sources, drawn
from conductor.adapters.grafana.designs import environment, fleet, repository, run


def provisioned() -> Mapping[str, Json]:
    """Return them by the names of their files."""
    designs = {
        "fleet": fleet("Conductor: fleet"),
        "repository": _chosen(
            repository("$repository", title="Conductor: repository"), "repository", "conductor_run_info"
        ),
        "run": _chosen(run("$run", title="Conductor: run"), "run", "conductor_run_info"),
        "environment": _chosen(
            environment("$run", title="Conductor: environment"), "run", "conductor:run_memory_bytes:sum"
        ),
    }
    return {
        name: drawn(design, uid=f"conductor-{name}", tags=["conductor"], sources=Sources())
        for name, design in designs.items()
    }


def _chosen(design: Design, variable: str, metric: str) -> Design:
    return replace(design, variables={variable: f"label_values({metric}, {variable})"})
