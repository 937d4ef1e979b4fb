"""Reaching a cluster: kubeconfigs and their contexts, and credentials that a program gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import yaml

from conductor.adapters.kubernetes.api.authentication import VERSIONS, ProgramAuth
from conductor.adapters.kubernetes.api.connection import Connection, connect
from conductor.errors import UnreachableError

SECRET = "t0ps3cret-token"


def kubeconfig(folder: Path, **user: object) -> Path:
    file = folder / "config"
    clusters = [
        {"name": name, "cluster": {"server": f"https://{name}.example"}} for name in ("test", "production")
    ]
    contexts = [{"name": c["name"], "context": {"cluster": c["name"], "user": "me"}} for c in clusters]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "contexts": contexts,
        "users": [{"name": "me", "user": user}],
        "current-context": "test",
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize(("context", "server"), [("", "test"), ("production", "production")])
async def test_the_context_decides_where_it_goes(tmp_path: Path, context: str, server: str):
    connection = Connection(kubeconfig=str(kubeconfig(tmp_path, token="x")), context=context)
    client = await connection.client()
    assert (client.address, client.context) == (f"https://{server}.example", server)
    assert await connection.client() is client
    await connection.aclose()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "clusters: 7",
        "{clusters: [], contexts: [], users: []}",
        "{clusters: [], contexts: [], current-context: x}",
        "\0",
    ],
)
def test_a_kubeconfig_that_is_none_is_said_with_a_remedy(tmp_path: Path, content: str):
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(UnreachableError) as caught:
        connect(str(file))
    assert "CONDUCTOR_KUBECONFIG" in caught.value.remedy


def test_a_kubeconfig_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(UnreachableError, match="nowhere"):
        connect(str(tmp_path / "nowhere"))


def test_a_context_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(UnreachableError, match="staging"):
        connect(str(kubeconfig(tmp_path)), "staging")


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    def make(status: object, *, code: int = 0) -> Path:
        """Write a program that notes what it is told, complains of its secret, and answers."""
        answer = json.dumps({"kind": "ExecCredential", "status": status})
        file = tmp_path / "credentials"
        file.write_text(
            f'#!/bin/sh\nprintf \'%s\\n\' "$KUBERNETES_EXEC_INFO" "$EXTRA" "$1" >> {tmp_path}/asked\n'
            f"echo 'not logged in' >&2\ncat <<'END'\n{answer}\nEND\nexit {code}\n"
        )
        file.chmod(0o755)
        return file

    return make


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines()


class Door:
    """Opens for the tokens that it takes."""

    def __init__(self, *good: str) -> None:
        self.good = good
        self.shown: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.shown.append(token)
        return httpx2.Response(200 if token in self.good else 401, json={})


async def call(auth: ProgramAuth, door: Door) -> int:
    async with httpx2.AsyncClient(auth=auth, transport=httpx2.MockTransport(door)) as http:
        return (await http.get("https://cluster.example/version")).status_code


def auth_of(program: Path, *, version: str = VERSIONS[0]) -> ProgramAuth:
    return ProgramAuth(
        [str(program), "get-token"], version=version, environment={"EXTRA": "more"}, hint="Log in."
    )


async def test_a_program_is_asked_once_and_told_what_is_wanted(program: Callable[..., Path], tmp_path: Path):
    auth, door = auth_of(program({"token": SECRET})), Door(SECRET)
    assert [await call(auth, door), await call(auth, door)] == [200, 200]
    info, extra, argument = asked(tmp_path)
    assert (json.loads(info)["apiVersion"], extra, argument) == (VERSIONS[0], "more", "get-token")


async def test_a_token_that_is_refused_is_renewed_once(program: Callable[..., Path], tmp_path: Path):
    auth, door = auth_of(program({"token": SECRET})), Door("another")
    assert await call(auth, door) == 401
    assert (len(asked(tmp_path)) // 3, door.shown) == (2, [SECRET, SECRET])


async def test_a_token_that_ends_soon_is_renewed_before(program: Callable[..., Path], tmp_path: Path):
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat().replace("+00:00", "Z")
    auth, door = auth_of(program({"token": SECRET, "expirationTimestamp": soon})), Door(SECRET)
    await call(auth, door)
    await call(auth, door)
    assert len(asked(tmp_path)) // 3 == 2


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ({"token": SECRET}, 1, "exit code 1: not logged in"),
        ({"clientCertificateData": "x"}, 0, "only tokens"),
        (None, 0, "no ExecCredential"),
    ],
)
async def test_a_program_that_fails_is_named_with_its_own_hint_and_no_token(
    program: Callable[..., Path], status: object, code: int, said: str
):
    with pytest.raises(UnreachableError, match=said) as caught:
        await call(auth_of(program(status, code=code)), Door(SECRET))
    assert (SECRET in str(caught.value), caught.value.remedy) == (False, "Log in.")


async def test_a_program_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UnreachableError, match="nobody"):
        await call(auth_of(tmp_path / "nobody"), Door(SECRET))


def test_a_protocol_that_nobody_speaks_is_refused():
    with pytest.raises(UnreachableError, match="v1alpha1"):
        auth_of(Path("x"), version="client.authentication.k8s.io/v1alpha1")


async def test_a_kubeconfig_may_name_a_program(program: Callable[..., Path], tmp_path: Path):
    command = program({"token": SECRET})
    config = kubeconfig(
        tmp_path, exec={"apiVersion": VERSIONS[0], "command": command.name, "args": ["get-token"]}
    )
    relative = yaml.safe_load(config.read_text())
    relative["users"][0]["user"]["exec"]["command"] = f"./{command.name}"
    config.write_text(yaml.safe_dump(relative))
    client = connect(str(config))
    assert isinstance(client.http.auth, ProgramAuth)
    await client.aclose()
    assert await call(client.http.auth, Door(SECRET)) == 200
