"""The whole path as a team has it: a server, a bare repository, a pushed tag, real containers; the verdict is read where the pusher is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.live.served import left_clean, prepared, serving
from tests.live.shop import shop_repository

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def test_a_tag_pushed_to_a_bare_repository_becomes_a_verdict_that_the_pusher_reads(tmp_path: Path):
    site = prepared(tmp_path, engine="docker")
    bare = site.repositories / "shop.git"
    work = shop_repository(tmp_path / "work")
    site.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    site.git("push", "--quiet", str(bare), "main", at=work)
    made = site.command("tokens", "create", "ci", "--role", "run")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()

    with left_clean(site), serving(site) as (_, address):
        hook = site.command(
            "hook", "install", str(bare), "--server", address, "--secret-file", str(site.secret_file)
        )
        assert hook.returncode == 0, hook.stderr
        site.git("tag", "run-integration-tests", at=work)
        site.git("push", "--quiet", str(bare), "run-integration-tests", at=work)
        remote = {"CONDUCTOR_SERVER": address, "CONDUCTOR_TOKEN": token}
        site.until(lambda: "shop" in site.command("runs", "list", **remote).stdout)
        followed = site.command("runs", "logs", "--follow", **remote)
        site.until(lambda: "PASSED" in site.command("runs", "report", **remote).stdout.upper())
        site.until(
            lambda: (
                "passed" in site.git("notes", "--ref=conductor", "show", "run-integration-tests", at=bare)
                or not site.command("runs", "show", **remote).stdout
            )
        )
        shown = site.command("runs", "show", "--json", **remote)
        report = site.command("runs", "report", **remote)

    assert followed.returncode == 0, followed.stderr
    assert "pass 14" in followed.stdout
    assert json.loads(shown.stdout)["outcome"]["verdict"] == "passed"
    assert "PASSED" in report.stdout.upper()
