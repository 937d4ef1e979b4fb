"""conductor secrets, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conductor.errors import ConflictError, RefusedError
from conductor.operations.secrets import install, workflow
from tests.surfaces.test_cli_runs import conductor

FILE = Path(".github") / "workflows" / "conductor-sync-secrets.yml"
PLAN = """
version: 1
tests: {image: busybox, command: "true"}
secrets:
  - OPENAI_API_KEY
  - {name: STRIPE_KEY, for: [tests, backend]}
  - {name: SSH_KEY, for: [workspace]}
environments: [dev, prod]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".conductor.yaml").write_text(PLAN)
    (folder / "docker-compose.qa.yml").write_text(
        "services: {backend: {image: busybox}, database: {image: busybox}}"
    )
    return folder


def test_the_plan_says_which_secret_of_github_goes_to_whom(shop: Path, tmp_path: Path):
    told = conductor(tmp_path / "state", "secrets", "plan", str(shop))
    assert told.stdout == (
        "dev:\n"
        "  OPENAI_API_KEY_DEV   as OPENAI_API_KEY to backend, database, tests, workspace\n"
        "  STRIPE_KEY_DEV       as STRIPE_KEY to backend, tests\n"
        "  SSH_KEY_DEV          as SSH_KEY to workspace\n"
        "prod:\n"
        "  OPENAI_API_KEY_PROD  as OPENAI_API_KEY to backend, database, tests, workspace\n"
        "  STRIPE_KEY_PROD      as STRIPE_KEY to backend, tests\n"
        "  SSH_KEY_PROD         as SSH_KEY to workspace\n"
    )
    found = json.loads(conductor(tmp_path / "state", "secrets", "plan", str(shop), "--json").stdout)
    assert found["secrets"][1] == {
        "environment": "dev", "name": "STRIPE_KEY", "github": "STRIPE_KEY_DEV", "consumers": ["backend", "tests"],
    }  # fmt: skip


def test_a_repository_without_secrets_needs_none(shop: Path, tmp_path: Path):
    (shop / ".conductor.yaml").write_text(PLAN.partition("secrets:")[0])
    assert conductor(tmp_path / "state", "secrets", "plan", str(shop)).stdout == "No secrets are asked for.\n"


def test_the_workflow_is_written_where_github_looks_for_it(shop: Path, tmp_path: Path):
    told = conductor(tmp_path / "state", "secrets", "install", str(shop))
    assert (
        told.stdout == f"{shop / FILE} is written. Commit it to the default branch: it is run from there.\n"
    )
    assert (shop / FILE).read_text() == workflow()
    again = conductor(tmp_path / "state", "secrets", "install", str(shop))
    assert again.stdout == f"{shop / FILE} is as it should be.\n"


def test_an_older_one_of_ours_is_renewed_and_one_of_somebody_else_is_left_alone(shop: Path):
    install(shop)
    (shop / FILE).write_text(workflow() + "# older\n")
    assert install(shop).changed
    (shop / FILE).write_text("name: mine\n")
    with pytest.raises(ConflictError, match="not of Conductor"):
        install(shop)
    assert (shop / FILE).read_text() == "name: mine\n"
    assert install(shop, force=True).changed


def test_a_link_that_leads_out_of_the_repository_is_not_followed(shop: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (shop / ".github").symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError, match="leads out of the repository"):
        install(shop)
    assert list((tmp_path / "outside").iterdir()) == []
