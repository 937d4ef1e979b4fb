"""Credentials from a program: what a kubeconfig calls `exec`, as managed clusters hand them out.

Protocol: client-go credential plugins, `client.authentication.k8s.io/v1` and `v1beta1`
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins). Law: a token is in memory
only, and in no message.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx2

from conductor.errors import UnreachableError

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
TIME_LIMIT = timedelta(seconds=60)
"""A program that asks a person something would never end."""
EARLY = timedelta(seconds=30)
"""So long before its end a token is renewed."""


class ProgramAuth(httpx2.Auth):
    """Asks the program for a token when there is none, when it is about to end, and when the server refuses it."""

    def __init__(
        self, command: Sequence[str], *, version: str, environment: Mapping[str, str], hint: str = ""
    ) -> None:
        self._command = tuple(command)
        self._version = version
        self._environment = dict(environment)
        self._remedy = hint or "Run the program by hand, and mend what it complains of."
        self._token = ""
        self._ends_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()
        if version not in VERSIONS:
            raise UnreachableError(
                f"the kubeconfig's credential program speaks {version}", remedy=f"Use {VERSIONS[0]}."
            )

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send the request with a token; renew it once where it is refused."""
        token = await self._valid()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._valid(other_than=token)
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    async def _valid(self, *, other_than: str = "") -> str:
        async with self._one_at_a_time:
            is_over = self._ends_at is not None and self._ends_at - EARLY <= datetime.now(UTC)
            if not self._token or is_over or self._token == other_than:
                self._token, self._ends_at = _read(await self._ask(), self._command[0], self._remedy)
            return self._token

    async def _ask(self) -> bytes:
        info = {
            "apiVersion": self._version,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        environment = {**os.environ, **self._environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise self._failed(error.strerror or "it cannot be run") from None
        try:
            async with asyncio.timeout(TIME_LIMIT.total_seconds()):
                said, complaint = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise self._failed(f"no answer within {TIME_LIMIT.total_seconds():g} s") from None
        if process.returncode:
            words = complaint.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise self._failed(f"exit code {process.returncode}: {words[-1][:300]}")
        return said

    def _failed(self, why: str) -> UnreachableError:
        return UnreachableError(
            f"getting credentials from {shlex.quote(self._command[0])}: {why}", remedy=self._remedy
        )


def _read(answer: bytes, program: str, remedy: str) -> tuple[str, datetime | None]:
    """Read an `ExecCredential`: token, and when it ends."""
    try:
        status = json.loads(answer)["status"]
        token, ends = status.get("token"), status.get("expirationTimestamp")
        if token:
            return str(token), datetime.fromisoformat(ends) if ends else None
        why = "it gives a client certificate, and only tokens are understood"
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "its answer is no ExecCredential"
    raise UnreachableError(f"getting credentials from {shlex.quote(program)}: {why}", remedy=remedy)
