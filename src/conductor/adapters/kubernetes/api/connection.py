"""One connection to an API server for the whole process, made when it is first needed.

In a pod the service account is used; else the kubeconfig that is named, `KUBECONFIG`, or `~/.kube/config`. lightkube reads both and
knows the ways to authenticate; a credential program is asked by `authentication`. It is imported when a cluster is asked: 0.2 s.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from conductor.adapters.kubernetes.api.client import AT_ONCE, Client
from conductor.errors import UnreachableError

if TYPE_CHECKING:
    from httpx2 import Limits
    from lightkube.config.kubeconfig import KubeConfig, SingleConfig

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NOT_A_KUBECONFIG = (ValueError, LookupError, TypeError, AttributeError, AssertionError)
"""What lightkube raises over a file of another shape."""
_ONE_AT_A_TIME = Lock()
"""Two threads that load the library's parts at once have been seen to crash."""
_REMEDY = "Name a kubeconfig with CONDUCTOR_KUBECONFIG, and one of its contexts with CONDUCTOR_KUBE_CONTEXT."


@dataclass(slots=True)
class Connection:
    """Gives the client. `kubeconfig` and `context` are empty for the usual ones."""

    kubeconfig: str = ""
    context: str = ""
    _client: Client | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def client(self) -> Client:
        """Return the client; the API server is not asked yet. UnreachableError where no configuration can be read."""
        async with self._making:
            if self._client is None:
                self._client = await asyncio.to_thread(_connect_alone, self.kubeconfig, self.context)
            return self._client

    async def aclose(self) -> None:
        """Let go of the connection; it may be made again."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _connect_alone(kubeconfig: str, context: str) -> Client:
    with _ONE_AT_A_TIME:
        return connect(kubeconfig, context)


def connect(kubeconfig: str = "", context: str = "") -> Client:
    """Make a client by the configuration. Reads files; raises UnreachableError where they cannot be used."""
    import httpx2  # noqa: PLC0415 -- imported with the cluster
    from lightkube.config.client_adapter import ConnectionParams  # noqa: PLC0415
    from lightkube.core.exceptions import ConfigError  # noqa: PLC0415
    from msgspec import MsgspecError  # noqa: PLC0415
    from yaml import YAMLError  # noqa: PLC0415

    try:
        chosen = _choose(kubeconfig, context)
        timeout = httpx2.Timeout(30.0, connect=5.0, pool=None)
        settings = ConnectionParams(timeout=timeout).httpx_params(_without_program(chosen))
    except (ConfigError, OSError, YAMLError, MsgspecError, *_NOT_A_KUBECONFIG) as error:
        raise UnreachableError(f"reading the kubeconfig: {_words(error)}", remedy=_REMEDY) from None
    if program := _program(chosen):
        settings["auth"] = program
    settings["headers"] = {"User-Agent": "conductor"}
    http = httpx2.AsyncClient(**settings, limits=_limits(None))
    asking = httpx2.AsyncClient(**settings, limits=_limits(AT_ONCE))
    return Client(http, asking=asking, address=chosen.cluster.server, context=chosen.context_name)


def _limits(most: int | None) -> Limits:
    from httpx2 import Limits  # noqa: PLC0415 -- imported with the cluster

    return Limits(max_connections=most, max_keepalive_connections=AT_ONCE, keepalive_expiry=60.0)


def _choose(kubeconfig: str, context: str) -> SingleConfig:
    found = _configuration(kubeconfig).get(context or None)
    if found is None:
        raise UnreachableError("the kubeconfig has no current context", remedy=_REMEDY)
    return found


def _configuration(kubeconfig: str) -> KubeConfig:
    from lightkube.config.kubeconfig import KubeConfig  # noqa: PLC0415

    if not kubeconfig and (SERVICE_ACCOUNT / "token").exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return KubeConfig.from_service_account(SERVICE_ACCOUNT)
    return KubeConfig.from_file(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")


def _without_program(chosen: SingleConfig) -> SingleConfig:
    from lightkube.config.models import User  # noqa: PLC0415
    from msgspec.structs import replace  # noqa: PLC0415

    return chosen._replace(user=replace(chosen.user, exec=None) if chosen.user else User())


def _program(chosen: SingleConfig) -> Any:
    asked = chosen.user.exec if chosen.user else None
    if asked is None:
        return None
    from conductor.adapters.kubernetes.api.authentication import ProgramAuth  # noqa: PLC0415

    command = str(chosen.abs_file(asked.command)) if "/" in asked.command else asked.command
    return ProgramAuth(
        [command, *(asked.args or ())],
        version=asked.apiVersion,
        environment={variable.name: variable.value for variable in asked.env or ()},
        hint=asked.installHint or "",
    )


def _words(error: Exception) -> str:
    if isinstance(error, _NOT_A_KUBECONFIG):
        return f"it is no kubeconfig ({type(error).__name__}: {error})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
