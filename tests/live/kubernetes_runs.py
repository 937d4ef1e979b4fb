"""Whole runs on a real cluster: the command line with the kubernetes engine, and what the API server has of them.

`CONDUCTOR_TEST_KUBECONFIG` names the cluster. Nothing is pulled or built: on its nodes are the stand-ins of `scripts/standins.py`, the
image of `deploy/tools` (`CONDUCTOR_TEST_TOOLS_IMAGE`), and what the examples build, named `<CONDUCTOR_TEST_BUILT>/<example>-<what>:1`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from conductor.domain.names import LABEL_INSTANCE, LABEL_WORKLOAD
from tests.live.shop import EXAMPLES, conductor
from tests.live.test_kubernetes_manifests import Server

KUBECONFIG = os.environ.get("CONDUCTOR_TEST_KUBECONFIG", "")
TOOLS = os.environ.get("CONDUCTOR_TEST_TOOLS_IMAGE", "localhost/conductor/tools:1")
BUILT = os.environ.get("CONDUCTOR_TEST_BUILT", "docker.io/conductor-shop")
LIMIT_SECONDS = 240
NOT_FOUND = 404
GIT = ("git", "-c", "user.name=Example", "-c", "user.email=example@example.org", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run that has ended: what it told, its outcome, and the exit code of the command."""

    exit_code: int
    events: Sequence[Mapping[str, Any]]
    outcome: Mapping[str, Any]

    @property
    def run(self) -> str:
        return str(self.outcome["run"])

    @property
    def namespace(self) -> str:
        """Where the last attempt was."""
        return [str(e["subject"]) for e in self.events if e["kind"] == "lease.changed"][-1]


@dataclass(frozen=True)
class Cluster:
    """The command line over a state folder of its own, and the API server to compare with."""

    state: Path
    server: Server
    settings: Mapping[str, str] = field(default_factory=dict)
    instance: str = field(default_factory=lambda: f"m-{secrets.token_hex(4)}")

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "CONDUCTOR_STATE": str(self.state),
            "CONDUCTOR_ENGINE": "kubernetes",
            "CONDUCTOR_KUBECONFIG": KUBECONFIG,
            "CONDUCTOR_TOOLS_IMAGE": TOOLS,
            "CONDUCTOR_INSTANCE": self.instance,
        }
        return {**os.environ, **own, **self.settings}

    def __call__(self, *arguments: str, limit: float = LIMIT_SECONDS) -> subprocess.CompletedProcess[str]:
        command = [*conductor(), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=limit, check=False
        )

    def run(self, *arguments: str) -> Ended:
        done = self("run", *arguments, "--json")
        told = f"exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, told
        assert lines[-1]["kind"] == "outcome", told
        return Ended(exit_code=done.returncode, events=lines[:-1], outcome=lines[-1])

    def objects(self, path: str) -> Sequence[Mapping[str, Any]]:
        status, found = self.server.ask("GET", path)
        assert status in (200, NOT_FOUND), found
        return found.get("items") or () if status != NOT_FOUND else ()

    def pods(self, namespace: str) -> Mapping[str, str]:
        """Return the workload of every pod, by the pod's uid."""
        found = self.objects(f"/api/v1/namespaces/{namespace}/pods")
        return {pod["metadata"]["uid"]: pod["metadata"]["labels"][LABEL_WORKLOAD] for pod in found}

    def pods_that_were(self, namespace: str) -> set[str]:
        """Return the uid of every pod that the cluster ever told anything of in a namespace."""
        events = self.objects(f"/api/v1/namespaces/{namespace}/events")
        about = (event["involvedObject"] for event in events)
        return {one["uid"] for one in about if one.get("kind") == "Pod" and "uid" in one}

    def left(self, namespace: str) -> Sequence[str]:
        """Name everything that is there of a namespace or of this instance, of whatever kind: a clean end leaves nothing."""
        status, found = self.server.ask("GET", f"/api/v1/namespaces/{namespace}")
        there = [] if status == NOT_FOUND else [f"Namespace {found['metadata']}"]
        volumes = [
            f"PersistentVolume {one['metadata']['name']}"
            for one in self.objects("/api/v1/persistentvolumes")
            if (one["spec"].get("claimRef") or {}).get("namespace") == namespace
        ]
        wish = f"labelSelector={LABEL_INSTANCE}={self.instance}"
        return [
            *there,
            *volumes,
            *(
                f"{path} {one['metadata'].get('namespace')}/{one['metadata']['name']}"
                for path in self.kinds()
                for one in self.objects(f"{path}?{wish}")
            ),
        ]

    def kinds(self) -> Sequence[str]:
        """Return the path of each kind that can be listed."""
        groups = self.server.ask("GET", "/apis")[1]["groups"]
        roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
        return [
            f"{root}/{kind['name']}"
            for root in roots
            for kind in self.server.ask("GET", root)[1].get("resources", ())
            if "list" in kind["verbs"]
        ]


def repository(example: str, folder: Path) -> Path:
    """Copy an example, name images where it would build some, and make it a git repository."""
    made = folder / example
    shutil.copytree(EXAMPLES / example, made, symlinks=True)
    _change(made / "docker-compose.qa.yml", lambda file: _name_built(example, file["services"]))
    _change(made / ".conductor.yaml", lambda file: _name_built(example, _suites(file)))
    return committed(made)


def committed(folder: Path) -> Path:
    """Make a folder a git repository with one commit on main."""
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "An example"),
    ):
        subprocess.run([*GIT, *command], cwd=folder, check=True, timeout=30)
    return folder


def _suites(file: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"tests": file["tests"]} if isinstance(file["tests"], dict) else {}


def _name_built(example: str, parts: Mapping[str, Any]) -> None:
    for name, part in parts.items():
        if part.pop("build", None):
            part["image"] = f"{BUILT}/{example}-{name}:1"


def _change(file: Path, edit: Any) -> None:
    content = yaml.safe_load(file.read_text())
    edit(content)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
