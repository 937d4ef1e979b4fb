"""Conductor's account as `deploy/` ships it, on a real cluster, under a name that no other installation there has."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from conductor.adapters.kubernetes.api.connection import Connection, connect
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from tests.kubernetes.clusters import KUBECONFIG, TOOLS
from tests.unit.deploy.rendered import KUBECTL, Manifest, helm

UNTIL_IT_HOLDS = 60.0
"""Seconds within which a server knows of roles and policies."""
LOOK = 0.3


@dataclass(frozen=True, kw_only=True)
class Installed:
    """`name` is that of the instance, of its account and of the account's namespace."""

    name: str
    kubeconfig: str

    @property
    def role(self) -> str:
        return f"{self.name}-namespace"

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of a process with this account."""
        return {
            "CONDUCTOR_ENGINE": "kubernetes",
            "CONDUCTOR_KUBECONFIG": self.kubeconfig,
            "CONDUCTOR_INSTANCE": self.name,
            "CONDUCTOR_KUBE_ROLE": self.role,
        }

    def engine(self, **site: Any) -> KubernetesEngine:
        """Return an engine as a process with this account has it."""
        made = Site(instance=self.name, role=self.role, **{"tools_image": TOOLS, **site})
        return KubernetesEngine(Connection(kubeconfig=self.kubeconfig), site=made)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The shipped objects, until the module's tests are over."""
    with installation(tmp_path_factory.mktemp("account"), f"rights-{uuid4().hex[:8]}") as made:
        yield made


@contextmanager
def installation(folder: Path, name: str, **values: Any) -> Iterator[Installed]:
    """Install the shipped objects with more values of the chart."""
    if not KUBECONFIG:
        pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
    things = helm(namespace=name, instance=name, createNamespace=True, sweeper={"suspend": True}, **values)
    try:
        _kubectl("apply", "--server-side", "-f", "-", given=things)
        file = folder / "kubeconfig"
        _write(file, name)
        _wait_for_the_policy(str(file), name)
        yield Installed(name=name, kubeconfig=str(file))
    finally:
        _kubectl("delete", "namespaces", "-l", f"conductor.dev/instance={name}", "--wait=false")
        _kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", given=things)


def _kubectl(*arguments: str, given: list[Manifest] | None = None) -> str:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": given}) if given else None
    command = [str(KUBECTL), "--kubeconfig", KUBECONFIG, *arguments]
    made = subprocess.run(command, input=items, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout


def another_account(installed: Installed, name: str, file: Path) -> str:
    """Make one more account beside Conductor's, without any right; return a kubeconfig of it."""
    metadata = {"name": name, "namespace": installed.name}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    _kubectl("apply", "--server-side", "-f", "-", given=[account])
    _write(file, installed.name, account=name)
    return str(file)


def _write(file: Path, name: str, *, account: str = "") -> None:
    """Write a kubeconfig with a token of the account, such as its pods get (TokenRequest)."""
    seen: dict[str, Any] = json.loads(_kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    seen["users"] = [
        {"name": name, "user": {"token": _kubectl("create", "token", account or name, "-n", name).strip()}}
    ]
    seen["contexts"] = [{"name": name, "context": {"cluster": seen["clusters"][0]["name"], "user": name}}]
    seen["current-context"] = name
    file.touch(mode=0o600)
    file.write_text(json.dumps(seen))


def _wait_for_the_policy(kubeconfig: str, name: str) -> None:
    """Look until the policy refuses what the roles allow: a namespace without a mark, which is not made in any case."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{name}-unmarked"}}
    last = ""
    for _ in range(int(UNTIL_IT_HOLDS / LOOK)):
        last = _kubectl_as(kubeconfig, body)
        if "with the mark of its instance" in last:
            return
        time.sleep(LOOK)  # the server tells nobody when
    pytest.fail(f"the policy does not hold: {last}")


def _kubectl_as(kubeconfig: str, body: Manifest) -> str:
    command = [str(KUBECTL), "--kubeconfig", kubeconfig, "create", "--dry-run=server", "-f", "-"]
    made = subprocess.run(
        command, input=json.dumps(body), capture_output=True, text=True, timeout=60, check=False
    )
    return made.stderr


def http(kubeconfig: str) -> httpx2.AsyncClient:
    """Give the bare connection of an account: what a test asks goes out as it is written."""
    return connect(kubeconfig).http
