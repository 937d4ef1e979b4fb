"""The tools of a test pod, laid out on this machine: Debian's static busybox and tini, and the scripts of `deploy/tools`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from conductor.adapters.kubernetes.manifests.patterns import pattern

SCRIPTS = Path(__file__).parents[3] / "deploy" / "tools"
LIMIT = 1_000_000
PATIENCE = 30
"""Seconds: no wait is longer."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """Where one test runs the scripts: the folders that a pod's containers would share."""

    tools: Path
    work: Path
    results: Path
    scratch: Path

    def command(
        self,
        *words: str,
        reports: tuple[str, ...] = (),
        artifacts: tuple[str, ...] = (),
        limit: int = LIMIT,
        grace: int = 5,
    ) -> list[str]:
        """Return the runner's command for `words`."""
        wanted = [("r", glob) for glob in reports] + [("a", glob) for glob in artifacts]
        patterns = [
            part
            for kind, glob in wanted
            for p in (pattern(glob),)
            for part in (kind, p.base, p.root, p.regex)
        ]
        own = [f"{self.tools}/busybox", "sh", f"{self.tools}/run"]
        return [*own, str(self.results), str(grace), str(limit), *patterns, "--", *words]

    def run(self, *words: str, **wanted: object) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*words, **wanted),  # type: ignore[arg-type]
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def shell(self, script: str, **wanted: object) -> subprocess.CompletedProcess[str]:
        """Run a script of the machine's own shell."""
        return self.run("sh", "-c", script, **wanted)

    @property
    def mirrored(self) -> dict[str, str]:
        """What is in the mirror: names and contents."""
        tree = self.results / "tree"
        files = [file for file in tree.rglob("*") if file.is_file() and not file.is_symlink()]
        return {str(file.relative_to(tree)): file.read_text() for file in files}

    @property
    def left(self) -> list[str]:
        """What the runner says is left out."""
        return (self.results / "left").read_text().splitlines()


def static_tini(folder: Path) -> Path:
    """Fetch Debian's tini; skips where the packages cannot be reached."""
    with tempfile.TemporaryDirectory() as scratch:
        got = subprocess.run(
            ["apt-get", "download", "-q", "tini"], cwd=scratch, capture_output=True, check=False
        )
        if got.returncode:
            pytest.skip("Debian's packages cannot be reached")
        package = next(Path(scratch).glob("tini_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, f"{scratch}/x"], check=True)
        shutil.copy(f"{scratch}/x/usr/bin/tini-static", folder / "tini")
    return folder / "tini"


def is_static(program: str) -> bool:
    """Tell whether a program needs no libraries."""
    answer = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return "not a dynamic" in answer.stdout + answer.stderr
