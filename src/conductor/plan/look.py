"""What can be seen of a repository from its files: how its tests are run, where its image comes from, which secrets it names.

Files are read as data that somebody else wrote: what is broken or strange is as good as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conductor.domain.plan import DEFAULT_COMPOSE
from conductor.errors import ConductorError

HasFile = Callable[[str], bool]
ReadText = Callable[[str], str]

COMPOSE_FILES = (
    DEFAULT_COMPOSE, "docker-compose.qa.yaml", "compose.qa.yml", "compose.qa.yaml",
    "docker-compose.integration.yml", "docker-compose.test.yml", "docker-compose.e2e.yml", "docker-compose.ci.yml",
    "compose.test.yml", "compose.e2e.yml", "docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml",
)  # fmt: skip
"""In the order in which one is taken."""
_SCRIPTS = (
    "test:integration:nc", "test:integration", "test:int", "integration", "test:e2e", "e2e", "test:ci", "test",
)  # fmt: skip
_TARGETS = ("test-integration", "integration-test", "integration", "test-e2e", "e2e", "test")
_LOCKS = (("yarn.lock", "yarn"), ("pnpm-lock.yaml", "pnpm"), ("bun.lock", "bun"), ("bun.lockb", "bun"))
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_][\w./-]{0,200}", re.ASCII)
_MOST_TEXT = 500_000
_LOOKS_SECRET = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIALS?|PRIVATE)(?:_|$)"
)
_NO_SECRET = re.compile(r"PUBLIC|PUBLISHABLE")
_SUFFIX = re.compile(r"_(?:DEV|QA|PROD)$")
_REFERENCE = re.compile(r"(?<!\$)\$\{?([A-Za-z_][A-Za-z0-9_]{0,199})(:?-)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """How the tests are run, and the note that belongs beside it."""

    command: str
    rerun: str = ""
    note: str = ""
    image: str = ""
    """An image that has the tools, where there is no Dockerfile."""


class Repository:
    """The files of a repository, as three functions."""

    def __init__(self, has_file: HasFile, read_text: ReadText, files: Sequence[str]) -> None:
        self.has = has_file
        self._read = read_text
        self.files = sorted((f for f in files if _is_plain(f)), key=lambda f: (f.count("/"), f))

    def text(self, name: str) -> str:
        """Return a file's text; empty where it is absent or cannot be read."""
        if not self.has(name):
            return ""
        try:
            return self._read(name)[:_MOST_TEXT]
        except (ConductorError, OSError, ValueError):
            return ""

    def compose_file(self) -> str | None:
        """Name the compose file of its QA stack, or None."""
        return next((name for name in COMPOSE_FILES if self.has(name)), None)

    def dockerfile(self) -> tuple[str, str] | None:
        """Return context and Dockerfile of the test image, or None. Root before folders, `Dockerfile.test` before `Dockerfile`."""
        for name in ("Dockerfile.test", "Dockerfile"):
            if self.has(name):
                return ".", name
        for name in ("Dockerfile.test", "Dockerfile"):
            for file in self.files:
                folder, _, last = file.rpartition("/")
                if last == name and self.has(file):
                    return folder, name
        return None

    def tests(self) -> Found | None:
        """Tell how its tests are run, or None where nothing says so."""
        return self._node() or self._python() or self._go() or self._make()

    def secrets(self) -> list[str]:
        """List the variables of the compose file that look like secrets and have no default, without suffix."""
        text = self.text(self.compose_file() or "")
        defaulted = {name for name, default in _REFERENCE.findall(text) if default}
        names = [_SUFFIX.sub("", name) for name, _ in _REFERENCE.findall(text) if name not in defaulted]
        return [name for name in dict.fromkeys(names) if looks_secret(name)][:20]

    def _node(self) -> Found | None:
        package = _json(self.text("package.json"))
        scripts = package.get("scripts")
        script = next(
            (s for s in _SCRIPTS if isinstance(scripts, dict) and isinstance(scripts.get(s), str)), None
        )
        if script is None:
            return None
        tool = self._package_manager(package)
        command = "npm test" if (tool, script) == ("npm", "test") else _run_script(tool, script)
        runner = next((r for r in ("jest", "vitest", "mocha", "playwright") if r in str(scripts)), None)
        separator = " --" if tool == "npm" else ""
        return Found(
            command=command,
            rerun=f"{command}{separator} {{files}}" if runner else "",
            note="Let the test runner write JUnit XML there (jest-junit, mocha-junit-reporter, --reporter=junit).",
            image="node:22",
        )

    def _package_manager(self, package: dict[str, Any]) -> str:
        named = str(package.get("packageManager", "")).partition("@")[0]
        if named in ("yarn", "pnpm", "npm", "bun"):
            return named
        return next((tool for lock, tool in _LOCKS if self.has(lock)), "npm")

    def _python(self) -> Found | None:
        sources = ("pyproject.toml", "requirements.txt", "requirements-dev.txt", "setup.cfg", "tox.ini")
        if not (self.has("pytest.ini") or any("pytest" in self.text(name) for name in sources)):
            return None
        runner = next(
            (run for lock, run in (("uv.lock", "uv run "), ("poetry.lock", "poetry run ")) if self.has(lock)),
            "",
        )
        folder = next(
            (f for f in ("tests/integration", "tests/e2e") if any(x.startswith(f"{f}/") for x in self.files)),
            "",
        )
        pytest = f"{runner}pytest --junitxml=reports/junit.xml"
        return Found(command=f"{pytest} {folder}".strip(), rerun=f"{pytest} {{files}}", image="python:3.13")

    def _go(self) -> Found | None:
        if not self.has("go.mod"):
            return None
        note = "go test writes no JUnit XML: gotestsum --junitfile reports/junit.xml ./... does."
        return Found(command="go test ./...", note=note, image="golang:1.26")

    def _make(self) -> Found | None:
        text = self.text("Makefile")
        target = next((t for t in _TARGETS if re.search(rf"^{t}\s*:(?!=)", text, re.MULTILINE)), None)
        return Found(command=f"make {target}", image="debian:stable-slim") if target else None


def looks_secret(name: str) -> bool:
    """Tell whether a variable's name says that its value is one.

    >>> looks_secret("STRIPE_API_KEY"), looks_secret("KEYBOARD"), looks_secret("PUBLIC_KEY")
    (True, False, False)
    """
    return bool(_LOOKS_SECRET.search(name.upper())) and not _NO_SECRET.search(name.upper())


def _run_script(tool: str, script: str) -> str:
    return f"yarn {script}" if tool == "yarn" else f"{tool} run {script}"


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _is_plain(path: str) -> bool:
    return bool(_PLAIN_PATH.fullmatch(path)) and ".." not in path.split("/")
