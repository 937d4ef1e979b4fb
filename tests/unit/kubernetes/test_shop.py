"""The shop's manifests are those that somebody looked at; the other tests say why they are so."""

from __future__ import annotations

import base64
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from tests.unit.kubernetes.made import PLACE
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.adapters.kubernetes.manifests.files import File
from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.unsupported import unsupported
from conductor.domain.stack import (
    BindMount,
    Build,
    Condition,
    Dependency,
    Healthcheck,
    Job,
    Port,
    Resources,
    Restart,
    SecretText,
    Service,
    Stack,
    Volume,
    VolumeMount,
)

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "kubernetes-shop.yaml"
SHOP = Stack(
    name="shop",
    services=(
        Service(name="redis", image="redis:7-alpine", mounts=(VolumeMount(volume="data", target="/data"),)),
        Service(
            name="backend",
            build=Build(context="backend"),
            environment={"REDIS_URL": "redis://redis:6379", "MAIL": SecretText(parts=("smtp://u:", "MAIL_KEY", "@mailhog"))},
            secret_keys=("OPENAI_API_KEY",),
            ports=(Port(target=3001, published="3001"),),
            depends_on=(Dependency(service="redis"),),
            healthcheck=Healthcheck(
                test=("CMD-SHELL", "curl -f http://localhost:3001/$PATH_OF_HEALTH"),
                interval=timedelta(seconds=5),
                timeout=timedelta(seconds=2),
                retries=10,
            ),
            resources=Resources(cpus=0.5, memory_bytes=256 * 1024**2),
            restart=Restart.UNLESS_STOPPED,
        ),
        Service(name="mailhog", image="mailhog/mailhog:v1.0.1", expose=(1025, 8025), networks={"default": ("mail",)}),
        Service(
            name="frontend",
            build=Build(context="frontend"),
            ports=(Port(target=80),),
            depends_on=(Dependency(service="backend", condition=Condition.HEALTHY),),
            mounts=(
                BindMount(source="./nginx.conf", target="/etc/nginx/nginx.conf", read_only=True),
                BindMount(source="./public", target="/srv"),
            ),
        ),
    ),
    volumes=(Volume(name="data"),),
)  # fmt: skip
FILES = {"nginx.conf": File(content=b"events {}\n"), "public/index.html": File(content=b"<p>Hello\n")}
TESTS = Job(
    workload=Service(name="tests", build=Build(), entrypoint=("sh", "-c"), command=("yarn test $(date)",)),
    time_limit=timedelta(minutes=30),
)


def test_the_shops_manifests_are_those_that_were_looked_at():
    rendered = [_legible(manifest) for manifest in render(PLACE, SHOP, [TESTS], files=FILES)]
    made = yaml.safe_dump_all(rendered, sort_keys=False)
    if os.environ.get("CONDUCTOR_UPDATE_SNAPSHOTS"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(made)
    assert made == SNAPSHOT.read_text(), (
        "if this is meant: CONDUCTOR_UPDATE_SNAPSHOTS=1 pytest, and read the difference"
    )


def _legible(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show an archive by what is in it: its bytes depend on the machine's zlib."""
    if "archive.tar.gz" not in manifest.get("binaryData", {}):
        return manifest
    content = base64.b64decode(manifest["binaryData"]["archive.tar.gz"])
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {**manifest, "binaryData": {"archive.tar.gz": archive.getnames()}}


def test_the_shop_is_valid_for_the_last_three_versions_of_kubernetes():
    made = render(PLACE, SHOP, [TESTS], files=FILES)
    assert [error for each in made for version in LAST_THREE for error in errors(each, version)] == []


def test_the_shop_can_be_carried_whole():
    assert unsupported(SHOP, [TESTS]) == ()


def test_what_is_applied_stands_after_what_it_needs():
    kinds = [manifest["kind"] for manifest in render(PLACE, SHOP, [TESTS], files=FILES)]
    assert kinds == [
        "Namespace", "LimitRange", "ResourceQuota", "NetworkPolicy", "NetworkPolicy", "PersistentVolumeClaim",
        "Service", "Service", "Service", "Service", "Service", "Job", "Deployment", "Job", "ConfigMap", "ConfigMap", "Job", "Job",
    ]  # fmt: skip


def test_manifests_are_told_without_yamls_anchors():
    assert "&id" not in SNAPSHOT.read_text()


def test_rendering_twice_gives_the_same():
    assert render(PLACE, SHOP, [TESTS], files=FILES) == render(PLACE, SHOP, [TESTS], files=FILES)


def test_the_namespace_enforces_baseline_and_bears_the_marks_of_its_owner():
    place = replace(PLACE, repository="Acme/Shop", branch="feature/" + "x" * 80)
    labels = render(place, SHOP)[0]["metadata"]["labels"]  # type: ignore[index]
    assert {key: value for key, value in labels.items() if not key.endswith("branch")} == {
        "app.kubernetes.io/managed-by": "conductor",
        "conductor.dev/instance": "conductor",
        "conductor.dev/run": "shop-k3v9qd",
        "conductor.dev/repo": "acme-shop-5eceb96e",
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "latest",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "latest",
    }
    assert len(labels["conductor.dev/branch"]) <= 63
    assert labels["conductor.dev/branch"].startswith("feature-xxx")
