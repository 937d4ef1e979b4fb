"""The workflow that brings secrets, run for real: what arrives, byte for byte, and what is seen of it meanwhile."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from conductor.adapters.kubernetes.api.connection import connect
from tests.kubernetes.fake_api import FakeApiServer
from tests.syncing.actions import WORKFLOW, Actions, inputs

NASTY = {
    "plain": "hunter2hunter2",
    "one character": "x",
    "quotes": """it's "quoted" `and` \\escaped\\n""",
    "dollars": "$HOME ${HOME} $(id) $$ ${{ secrets.OTHER }} `id`",
    "lines": "first\nsecond\n\nfourth\n\n\n",
    "one line feed": "\n",
    "carriage returns": "dos\r\nline\rmac\r\n",
    "blanks around": "  \t two words \t ",
    "commands of the runner": "::add-mask::nothing\n::error::made up\n%0A::set-output name=x::y",
    "options": "-n -e --all",
    "patterns": "* ? [a-z] ~ !history {a,b} #comment ; | & > <",
    "any alphabet": "Zoë Łódź 東京 مرحبا 🎉👩‍👩‍👧 e\u0301",
    "strange spaces": "\ufeffa\u00a0b\u2028c\u2029d\u200be",
    "control characters": "\x01\x07\x1b[31mred\x1b[0m\x7f\x85",
    "json": json.dumps({"type": "service_account", "private_key": "-----BEGIN\nkey\n"}),
    "a key": "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join("MIIE" + "vA" * 30 for _ in range(25))
    + "\n-----END PRIVATE KEY-----\n",
    "looks encoded": base64.b64encode(b"not this").decode(),
    "48 kB": "0123456789abcdefghijklmnopqrstu\n" * 1536,
    "48 kB of many bytes each": "ж" * 24_576,
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer(tmp_path / "cluster") as started:
        async with connect(str(started.kubeconfig)).http as admin:
            (await admin.post("/api/v1/namespaces", json={"metadata": {"name": "own"}})).raise_for_status()
        yield started


@pytest.fixture
async def admin(server: FakeApiServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with connect(str(server.kubeconfig)).http as client:
        yield client


@pytest.fixture
def actions(server: FakeApiServer, tmp_path: Path) -> Actions:
    values = {"A_QA": "value-of-a", "B_QA": "value-of-b", "OTHER_PROD": "of-production"}
    return Actions(tmp_path, kubeconfig=str(server.kubeconfig), values=values)


async def things(admin: httpx2.AsyncClient, plural: str) -> dict[str, Any]:
    found = (await admin.get(f"/api/v1/namespaces/own/{plural}")).json()["items"]
    return {one["metadata"]["name"]: one for one in found if one["metadata"]["name"] != "kube-root-ca.crt"}


def decoded(secret: dict[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


async def test_every_value_arrives_byte_for_byte_and_is_seen_nowhere_else(
    actions: Actions, admin: httpx2.AsyncClient
):
    actions.values = {f"N_{number}_QA": value for number, value in enumerate(NASTY.values())}
    keys = {f"N_{number}": f"N_{number}_QA" for number in range(len(NASTY))}
    assert await actions.run(inputs("own", {"web-sync1": keys})), actions.log
    arrived = decoded((await things(admin, "secrets"))["web-sync1"])
    wrong = [
        name for (name, value), key in zip(NASTY.items(), keys, strict=True) if arrived[key] != value.encode()
    ]
    assert wrong == []
    for name, value in NASTY.items():
        if len(value) > 4:
            for shown in (value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]):
                assert shown not in actions.log, name
                assert shown.encode() not in actions.left(), name


async def test_each_consumer_gets_exactly_its_keys_in_a_secret_that_nobody_can_change(
    actions: Actions, admin: httpx2.AsyncClient
):
    wanted = {"web-sync1": {"A": "A_QA", "B": "B_QA"}, "tests-sync1": {"B": "B_QA"}}
    assert await actions.run(inputs("own", wanted), number=4711), actions.log
    made = await things(admin, "secrets")
    assert {name: decoded(secret) for name, secret in made.items()} == {
        "web-sync1": {"A": b"value-of-a", "B": b"value-of-b"},
        "tests-sync1": {"B": b"value-of-b"},
    }
    assert all(secret["immutable"] for secret in made.values())
    receipt = (await things(admin, "configmaps"))["conductor-secrets-sync1"]
    assert receipt["data"] == {
        "sync": "sync1", "key": "0a1b", "workflow": "4711", "missing": "", "secrets": "web-sync1:A,B tests-sync1:B",
    }  # fmt: skip
    assert "of-production" not in actions.log


async def test_what_is_missing_is_told_by_name_and_nothing_is_made(
    actions: Actions, admin: httpx2.AsyncClient
):
    actions.values["EMPTY_QA"] = ""
    wanted = {"web-sync1": {"A": "A_QA", "GONE": "GONE_QA", "EMPTY": "EMPTY_QA"}}
    assert not await actions.run(inputs("own", wanted))
    assert await things(admin, "secrets") == {}
    receipt = (await things(admin, "configmaps"))["conductor-secrets-sync1"]
    assert (receipt["data"]["missing"], receipt["data"]["secrets"]) == ("GONE_QA EMPTY_QA", "")


async def test_a_sync_that_was_cut_off_is_in_no_later_ones_way(actions: Actions, admin: httpx2.AsyncClient):
    half = {"metadata": {"name": "web-sync1"}, "immutable": True}
    (await admin.post("/api/v1/namespaces/own/secrets", json=half)).raise_for_status()
    assert await actions.run(inputs("own", {"web-sync2": {"A": "A_QA"}}, sync="sync2")), actions.log
    assert set(await things(admin, "secrets")) == {"web-sync1", "web-sync2"}


async def test_a_name_that_is_taken_is_no_success(actions: Actions, admin: httpx2.AsyncClient):
    forged = {"metadata": {"name": "web-sync1"}, "data": {"A": "Zm9yZ2Vk"}}
    (await admin.post("/api/v1/namespaces/own/secrets", json=forged)).raise_for_status()
    assert not await actions.run(inputs("own", {"web-sync1": {"A": "A_QA"}}))
    assert "conductor-secrets-sync1" not in await things(admin, "configmaps")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"VALUE_0": ""}, "missing, or empty: A_QA"),
        (
            {"VALUE_0": "x", "NAMESPACE": "gone"},
            "the Secret web-sync1 with A in the namespace gone was not made: NotFound",
        ),
        ({"VALUE_0": "x", "WANTED": "web-sync1:A=B_QA"}, "B_QA is not among the names"),
        ({"VALUE_0": "x", "WANTED": "web-sync1"}, "what is wanted is not said as SECRET:KEY=NAME,KEY=NAME"),
    ],
)
async def test_what_went_wrong_is_said_in_one_line(server: FakeApiServer, values: dict[str, str], said: str):
    """Without act, which now and then loses the last line of what has failed."""
    (step,) = yaml.safe_load(WORKFLOW.read_text())["jobs"]["sync"]["steps"]
    given = {
        "SYNC": "sync1", "NAMESPACE": "own", "WANTED": "web-sync1:A=A_QA", "KEY": "0a", "NAMES": "A_QA", "GITHUB_RUN_ID": "1",
        "KUBECONFIG": str(server.kubeconfig), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    shell = step["shell"].replace("{0}", "-c").split()
    process = await asyncio.create_subprocess_exec(
        *shell, step["run"], env=given | values, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.decode().splitlines()[-1] == f"::error title=Conductor::{said}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespace", "own\nmade-up"),
        ("namespace", 'own","x":"'),
        ("sync", "a/../b"),
        ("sync", "$(id)"),
        ("key", "x'y"),
        ("names", '["A_QA; id"]'),
        ("wanted", "web-sync1:A=A_QA --namespace=other"),
        ("wanted", "web-sync1:A=B_QA"),
    ],
)
async def test_inputs_are_data_and_nothing_else(
    actions: Actions, admin: httpx2.AsyncClient, name: str, value: str
):
    asked = inputs("own", {"web-sync1": {"A": "A_QA"}})
    assert not await actions.run({**asked, name: value})
    assert "uid=" not in actions.log
    assert await things(admin, "secrets") == {}


async def test_it_can_be_kept_to_one_who_dispatches_it(actions: Actions, admin: httpx2.AsyncClient):
    asked = inputs("own", {"web-sync1": {"A": "A_QA"}})
    assert not await actions.run(asked, variables={"CONDUCTOR_ACTOR": "somebody-else"})
    assert await things(admin, "secrets") == {}
    assert await actions.run(asked, variables={"CONDUCTOR_ACTOR": "conductor-acme[bot]"}), actions.log


def test_it_has_no_rights_on_github_uses_nobodys_actions_and_prints_no_commands():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    (step,) = job["steps"]
    assert "uses" not in step
    script = step["run"]
    assert "${{" not in script, "what comes from outside reaches the script by variables alone"
    assert "set -x" not in script
    assert "mktemp" not in script
    assert not any(flag in step["shell"] for flag in ("-x", "-v"))
