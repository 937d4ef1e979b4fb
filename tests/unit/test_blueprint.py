"""The blueprint of a checkout: what its plan and its compose files say together."""

from __future__ import annotations

from pathlib import Path

from conductor.compose.reader import Checkout
from conductor.domain.blueprint import Blueprint
from conductor.domain.stack import BindMount, VolumeMount
from conductor.plan.blueprint import draw_up

COMPOSE = """
services:
  web: {image: web, volumes: ["./shared:/shared"]}
  e2e: {image: tests, volumes: ["./shared:/seen:ro", "kept:/kept"]}
  lint: {image: tests}
volumes: {kept: {}}
"""


def drawn_up(folder: Path, tests: str) -> Blueprint:
    (folder / "docker-compose.qa.yml").write_text(COMPOSE)
    (folder / ".conductor.yaml").write_text(f"version: 1\ntests: {tests}\n")
    return draw_up(Checkout(folder), name="s", trusted=None, variables={})


def test_the_stack_knows_what_the_suites_mount_that_took_a_services_place(tmp_path: Path):
    tests = "[{name: ends, service: e2e, command: run}, {name: lint, service: lint, command: run}]"
    stack = drawn_up(tmp_path, tests).stack
    assert [service.name for service in stack.services] == ["web"]
    assert stack.suite_mounts == {
        "ends": (
            BindMount(source="shared", target="/seen", read_only=True),
            VolumeMount(volume="kept", target="/kept"),
        )
    }


def test_a_suite_with_an_image_of_its_own_mounts_nothing_of_the_stack(tmp_path: Path):
    assert drawn_up(tmp_path, "{image: tests, command: run}").stack.suite_mounts == {}
