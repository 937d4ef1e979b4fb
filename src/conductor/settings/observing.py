"""What watches Conductor and its runs: Prometheus' Pushgateway, Grafana, Loki, traces."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from conductor.settings.kinds import WebAddress


class ObservingSettings(BaseSettings):
    """Where figures, dashboards, logs and traces go. None of them is needed, and none decides a verdict."""

    pushgateway: WebAddress = Field(
        default="",
        description="Address of a Prometheus Pushgateway, to which `conductor run` without a server pushes the figures of its run.",
    )
    grafana_url: WebAddress = Field(
        default="",
        description="Address of Grafana, in which each run and environment gets a dashboard as long as it stands. It needs "
        "`CONDUCTOR_GRAFANA_TOKEN` too.",
    )
    grafana_public_url: WebAddress = Field(
        default="", description="Where people reach Grafana, if that is not `CONDUCTOR_GRAFANA_URL`."
    )
    grafana_token: SecretStr | None = Field(
        default=None,
        description="Token of a service account of Grafana that may make folders and edit dashboards (the role Editor).",
    )
    grafana_token_file: Path | None = Field(
        default=None, description="File that holds that token, in place of the variable."
    )
    grafana_folder: str = Field(default="Conductor", description="Folder of Grafana for all dashboards.")
    grafana_prometheus: str = Field(
        default="prometheus", description="Uid of Grafana's data source of Prometheus."
    )
    grafana_loki: str = Field(
        default="loki", description="Uid of Grafana's data source of Loki. Empty: dashboards show no logs."
    )
    loki_url: WebAddress = Field(
        default="",
        description="Address of Loki, to which logs of runs are pushed directly: for the docker engine. On Kubernetes Alloy collects them.",
    )
    loki_token: SecretStr | None = Field(
        default=None, description="Bearer token for Loki, where it asks for one."
    )
    loki_tenant: str = Field(
        default="", description="Tenant of Loki (`X-Scope-OrgID`), where it has several."
    )
    traces: WebAddress = Field(
        default="",
        description="Address that takes traces by OTLP over HTTP, such as `http://collector:4318`. `OTEL_EXPORTER_OTLP_ENDPOINT` is read "
        "too. It needs the extra `traces`: `pip install conductor[traces]`.",
    )

    @field_validator("grafana_token_file", mode="after")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not os.access(value, os.R_OK):
            raise ValueError(f"{value} is not there, or cannot be read")
        return value

    @property
    def grafana_secret(self) -> str:
        """The token, from the variable or its file; empty where there is none."""
        if self.grafana_token:
            return self.grafana_token.get_secret_value()
        return self.grafana_token_file.read_text().strip() if self.grafana_token_file else ""

    @property
    def traces_to(self) -> str:
        """Where traces go. OpenTelemetry's own variable counts where it names what speaks HTTP; it may be meant for others."""
        other = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
        return self.traces or (other if other.startswith(("http://", "https://")) else "")
