"""A development environment in a real container: asked for, worked in, pushed from, put to sleep, and nothing left in the end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.live.shop import conductor, shop_repository
from tests.live.workspace_image import workspace_image

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

COMMIT = "echo more > new.txt && git add new.txt && git commit -qm 'A new file' && git rev-parse HEAD"
VALUE = "a value for the workspace alone"


def test_an_environment_is_worked_in_sleeps_and_leaves_nothing(tmp_path: Path):
    shop = shop_repository(tmp_path / "shop")
    plan = shop / ".conductor.yaml"
    plan.write_text(plan.read_text() + "secrets: [{name: API_KEY, for: [workspace]}]\n")
    _git(shop, "-c", "user.name=kim", "-c", "user.email=kim@example.org", "commit", "-qam", "A secret")
    bare = tmp_path / "shop.git"
    _git(tmp_path, "clone", "-q", "--bare", str(shop), str(bare))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    state = tmp_path / "state"
    state.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")},
        "CONDUCTOR_STATE": str(state),
        "CONDUCTOR_WORKSPACE_IMAGE": workspace_image(state, scratch),
        "API_KEY_DEV": VALUE,
    }

    def ask(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*conductor(), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert VALUE not in done.stdout + done.stderr
        return done.stdout

    made = json.loads(ask("env", "request", str(bare), "--branch", "12-more", "--json"))
    name = made["row"]["environment"]["id"]
    assert (
        json.loads(ask("env", "request", str(bare), "--branch", "12-more", "--json"))["row"]["environment"][
            "id"
        ]
        == name
    )
    assert "12-more" in ask("env", "exec", name, "--", "git", "status", "--short", "--branch")
    assert ask("env", "exec", name, "--", "sh", "-c", 'printf %s "$API_KEY" | wc -c').strip() == str(
        len(VALUE)
    )
    assert "***" in ask("env", "exec", name, "--", "env")
    ask("env", "exec", name, "--", "sh", "-c", "exit 7", code=7)
    commit = ask("env", "exec", name, "--", "sh", "-c", COMMIT).strip()
    assert "run-integration-tests-12-more" in ask("env", "push", name, "--test")
    assert _git(bare, "rev-parse", "refs/heads/12-more").strip() == commit
    assert _git(bare, "rev-parse", "run-integration-tests-12-more^{commit}").strip() == commit
    ask("env", "sleep", name)
    ask("env", "exec", name, "--", "true", code=2)
    ask("env", "wake", name)
    assert ask("env", "exec", name, "--", "cat", "new.txt") == "more\n"
    ask("env", "release", name)
    assert ask("env", "list", "--json").strip() == "[]"
    for kept in state.rglob("*"):
        assert not kept.is_file() or VALUE.encode() not in kept.read_bytes(), kept
    assert not json.loads(ask("stacks", "list", "--json"))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
