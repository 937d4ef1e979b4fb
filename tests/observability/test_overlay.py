"""What `deploy/observability` brings up: valid, complete, and with the dashboards that the code draws."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from conductor.adapters.grafana.provisioned import provisioned
from tests.observability.prometheus import tool
from tests.registries.prism import description
from tests.unit.deploy.rendered import DEPLOY, kustomize
from tests.unit.kubernetes.schemas import LAST_THREE, errors

FOLDER = DEPLOY / "observability"
PARTS = {"prometheus", "pushgateway", "grafana", "loki", "alloy"}


def wrong(things: list[dict[str, Any]]) -> list[str]:
    return [said for thing in things for said in errors(thing, LAST_THREE[0])]


def test_the_overlay_is_valid_and_every_part_mounts_what_is_there():
    things = kustomize(FOLDER)
    assert wrong(things) == []
    assert {one["metadata"]["name"] for one in things if one["kind"] in ("Deployment", "DaemonSet")} == PARTS
    made = {(one["kind"], one["metadata"]["name"]) for one in things}
    for keeper in (one for one in things if one["kind"] in ("Deployment", "DaemonSet")):
        spec = keeper["spec"]["template"]["spec"]
        named = {("ConfigMap", one["configMap"]["name"]) for one in spec["volumes"] if "configMap" in one}
        claims = {
            one["persistentVolumeClaim"]["claimName"]
            for one in spec["volumes"]
            if "persistentVolumeClaim" in one
        }
        assert named | {("PersistentVolumeClaim", claim) for claim in claims} <= made
        for container in spec["containers"]:
            assert {one["name"] for one in container["volumeMounts"]} == {
                one["name"] for one in spec["volumes"]
            }
            assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_what_is_shipped_beside_the_overlay_is_valid_too():
    assert wrong(list(yaml.safe_load_all((FOLDER / "usage.yaml").read_text()))) == []
    monitor = yaml.safe_load((FOLDER / "prometheus" / "servicemonitor.yaml").read_text())
    server = [one for one in kustomize(DEPLOY / "kustomize" / "base") if one["kind"] == "Service"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert [one["metadata"]["name"] for one in server if wanted <= one["metadata"]["labels"].items()] == [
        "conductor-server"
    ]


def test_the_provisioned_dashboards_are_what_the_code_draws_and_fit_grafanas_schema():
    drawn = provisioned()
    shipped = {
        file.stem: json.loads(file.read_text()) for file in (FOLDER / "grafana" / "dashboards").glob("*.json")
    }
    assert shipped == drawn, "python -m conductor.adapters.grafana deploy/observability/grafana/dashboards"


@pytest.mark.parametrize("name", ["fleet", "repository", "run", "environment"])
def test_a_provisioned_dashboard_fits_grafanas_schema(name: str):
    jsonschema.validate(
        provisioned()[name], json.loads(description("grafana-schema/dashboard.jsonschema.json").read_text())
    )


def test_the_data_sources_have_the_uids_that_dashboards_ask_for():
    sources = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text())["datasources"]
    asked = {panel["datasource"]["uid"] for one in provisioned().values() for panel in one["panels"]}
    assert asked == {one["uid"] for one in sources}
    ports = {
        one["metadata"]["name"]: one["spec"]["ports"][0]["port"]
        for one in kustomize(FOLDER)
        if one["kind"] == "Service"
    }
    assert {one["url"] for one in sources} == {
        f"http://{name}:{ports[name]}" for name in ("prometheus", "loki")
    }


def test_prometheus_takes_its_configuration_and_harbors_is_the_registrys(tmp_path: Path):
    config = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text())
    (harbor,) = yaml.safe_load((DEPLOY / "registry" / "prometheus.yaml").read_text())
    assert harbor in config["scrape_configs"]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(known_to_debian(config)))
    done = subprocess.run(
        [tool("promtool"), "check", "config", "--syntax-only", str(file)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def known_to_debian(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only Prometheus' own builds know: finding targets in a cluster."""
    jobs = [
        {key: value for key, value in job.items() if key != "kubernetes_sd_configs"}
        for job in config["scrape_configs"]
    ]
    return {**config, "scrape_configs": jobs}


def test_loki_takes_its_configuration():
    binary = os.environ.get("CONDUCTOR_TEST_LOKI") or shutil.which("loki")
    if not binary:
        pytest.skip("no loki on this machine: name one by CONDUCTOR_TEST_LOKI")
    file = FOLDER / "loki" / "loki.yaml"
    done = subprocess.run(
        [binary, "-verify-config", f"-config.file={file}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
