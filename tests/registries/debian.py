"""Debian's docker-registry as a process of the test: open, with a password, or with a token server of ours."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.registries.serving import serving

USER, PASSWORD = "conductor", "only for tests"
READER, READING = "reader", "only for reading"
_HTPASSWD = f"{USER}:$2b$05$iXxj4FLmBVq4aekfgo3k2elhYzAu0FzySv8dyaR0C3SnNGacdBX6W\n"
"""bcrypt of the password above."""
_LISTENS = re.compile(r"listening on ([0-9.]+:[0-9]+)")
_PATIENCE_SECONDS = 30.0
Rule = Callable[[str, str, str], bool]


def installed() -> None:
    """Skip the test where the registry is not installed."""
    for program in ("docker-registry", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine: apt-get install {program}")


@asynccontextmanager
async def debian_registry(folder: Path, *, auth: str = "") -> AsyncIterator[str]:
    """Run the registry; yields its address. `auth` is a part of its configuration."""
    installed()
    configuration = folder / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {folder / 'images'}}}, delete: {{enabled: true}}}}"
    configuration.write_text(
        f'version: 0.1\n{storage}\nhttp: {{addr: "127.0.0.1:0", secret: tests, relativeurls: true}}\n{auth}'
    )
    process = await asyncio.create_subprocess_exec(
        "docker-registry",
        "serve",
        configuration,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr
    drained: asyncio.Task[bytes] | None = None
    try:
        address = await asyncio.wait_for(_address(process.stderr), _PATIENCE_SECONDS)
        drained = asyncio.create_task(process.stderr.read())
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()
        if drained:
            await drained


async def _address(log: asyncio.StreamReader) -> str:
    """Wait for the line that says where it listens."""
    lines = []
    async for line in log:
        lines.append(line.decode())
        if found := _LISTENS.search(lines[-1]):
            return found[1]
    raise AssertionError("".join(lines))


def with_password(folder: Path) -> str:
    """Write the configuration of a registry that knows one user."""
    (folder / "htpasswd").write_text(_HTPASSWD)
    return f"auth: {{htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}}}\n"


class TokenServer:
    """Signs tokens for what a rule allows: `rule(user, repository, action)`."""

    def __init__(self, folder: Path, rule: Rule) -> None:
        self.rule = rule
        self.key, self.certificate = folder / "token.key", folder / "token.pem"
        self.asked: list[str] = []
        make = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=tests",
        ]
        subprocess.run(
            [*make, "-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
            timeout=60,
        )

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/token", self._token)])

    def configuration(self, url: str) -> str:
        return f"auth: {{token: {{realm: '{url}/token', service: registry, issuer: tests, rootcertbundle: {self.certificate}}}}}\n"

    async def _token(self, request: Request) -> Response:
        told = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        user, _, password = told.partition(":")
        if told and (user, password) not in ((USER, PASSWORD), (READER, READING)):
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED", "message": "wrong"}]}, status_code=401)
        access = [self._access(user, scope) for scope in request.query_params.getlist("scope")]
        self.asked += request.query_params.getlist("scope")
        return JSONResponse({"token": await asyncio.to_thread(self._signed, user, access), "expires_in": 300})

    def _access(self, user: str, scope: str) -> dict[str, Any]:
        kind, path, actions = scope.split(":")
        allowed = [action for action in actions.split(",") if self.rule(user, path, action)]
        return {"type": kind, "name": path, "actions": allowed}

    def _signed(self, user: str, access: list[dict[str, Any]]) -> str:
        chain = "".join(self.certificate.read_text().splitlines()[1:-1])
        now = int(time.time())
        claims = {
            "iss": "tests",
            "sub": user,
            "aud": "registry",
            "nbf": now - 10,
            "iat": now,
            "exp": now + 300,
            "jti": str(now),
        }
        parts = [{"typ": "JWT", "alg": "RS256", "x5c": [chain]}, {**claims, "access": access}]
        text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        sign = ["openssl", "dgst", "-sha256", "-sign", self.key]
        signature = subprocess.run(
            sign, input=text.encode(), check=True, capture_output=True, timeout=60
        ).stdout
        return f"{text}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@asynccontextmanager
async def registry_with_tokens(folder: Path, rule: Rule) -> AsyncIterator[tuple[str, TokenServer]]:
    """Run the registry with a token server of ours before it."""
    installed()
    server = TokenServer(folder, rule)
    async with (
        serving(server.app()) as url,
        debian_registry(folder, auth=server.configuration(url)) as registry,
    ):
        yield registry, server
