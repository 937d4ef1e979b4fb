"""Nothing that is kept or shown holds a secret's value, after runs whose containers print every variable, into logs, reports and errors."""

from __future__ import annotations

import gzip
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.served import Site, left_clean, prepared, serving

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
VALUES = {
    "API_KEY": "hunter2-correct-horse",
    "MANY_LINES": "-----BEGIN it\nfirst-of-many-lines\nsecond-of-many-lines\n-----END it",
    "QUOTED": 'it\'s "quoted" $HOME & <b>bold</b>',
}
TOLD = (
    "hunter2-correct-horse",
    "first-of-many-lines",
    "second-of-many-lines",
    '"quoted" $HOME',
    '\\"quoted\\" $HOME',
    "&quot;quoted&quot; $HOME",
)
PLAN = """
version: 1
tests:
  image: IMAGE
  command: |
    env
    mkdir -p /tmp/reports
    printf '<testsuite><testcase classname="a" name="key %s"><failure message="%s">%s</failure></testcase></testsuite>' \\
      "$API_KEY" "$API_KEY" "$MANY_LINES" > /tmp/reports/a.xml
    exit 1
  reports: [/tmp/reports/*.xml]
secrets: [API_KEY, MANY_LINES, QUOTED]
"""
PRINTS = """
services:
  chatty:
    image: IMAGE
    command: [sh, -c, 'env; echo "{\\"key\\": \\"$$API_KEY\\"}" >&2; sleep 300']
    stop_grace_period: 0s
"""
DIES = """
services:
  dies:
    image: IMAGE
    command: [sh, -c, 'env; echo "cannot work with $$API_KEY" >&2; exit 3']
    healthcheck: {test: [CMD, "false"], interval: 1s, retries: 100}
"""


def test_no_value_is_in_anything_that_is_kept_or_shown(tmp_path: Path, busybox: str):
    site = prepared(
        tmp_path,
        engine="docker",
        CONDUCTOR_METRICS_OPEN="true",
        **{f"{name}_QA": value for name, value in VALUES.items()},
    )
    found: dict[str, str] = {}
    with left_clean(site):
        for name, compose, exit_code in (("prints", PRINTS, 1), ("dies", DIES, 3)):
            repository = tmp_path / "work" / name
            repository.mkdir(parents=True)
            (repository / "docker-compose.qa.yml").write_text(compose.replace("IMAGE", busybox))
            (repository / ".conductor.yaml").write_text(PLAN.replace("IMAGE", busybox))
            done = site.command("run", str(repository), "--cleanup", "always", "--json")
            assert done.returncode == exit_code, done.stdout[-3000:] + done.stderr
            found[f"run {name}"] = done.stdout + done.stderr
        with (
            serving(site) as (_, address),
            urllib.request.urlopen(f"{address}/metrics", timeout=30) as answer,  # noqa: S310 -- our own address
        ):
            found["metrics"] = answer.read().decode()
        found |= dict(everything(site))
    assert "API_KEY=***" in found["logs prints"], "what was printed is there, without the value"
    assert "cannot work with ***" in found["report --json dies"], "as the error's own words are"
    assert [name for name, text in found.items() if any(value in text for value in TOLD)] == []


def everything(site: Site) -> Iterator[tuple[str, str]]:
    """Yield what is kept in files, and what is shown of it, each under a name."""
    for file in (one for one in site.folder.rglob("*") if one.is_file() and "work" not in one.parts):
        content = file.read_bytes()
        yield str(file), content.decode(errors="replace")
        if content.startswith(b"\x1f\x8b"):
            yield f"{file} unpacked", gzip.decompress(content).decode(errors="replace")
    for one in json.loads(site.command("runs", "list", "--json").stdout):
        run, name = one["id"], one["repository"]
        for asked in ("show --json", "report", "report --json", "logs"):
            verb, *options = asked.split()
            done = site.command("runs", verb, run, *options)
            yield f"{asked} {name}", done.stdout + done.stderr
    assert "QUOTED_QA" not in os.environ
