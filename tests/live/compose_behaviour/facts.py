"""What was seen of one service, as a flat table from a fact's name to its text: two tables are compared line by line.

Half of it is what the containers see themselves (`probe.sh`), half what the engine says of them. What differs between any two containers
(ids, the engine's own files, labels of whoever made them) is left out here, once, for both sides alike.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Facts = dict[str, str]
Inspection = Mapping[str, Any]

PROBED = ("reads", "writes", "resolves", "address", "reaches")
_ENGINES_OWN = (
    "/proc",
    "/sys",
    "/dev/",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
)
_MAKERS_LABELS = ("com.docker.compose.", "conductor.dev/", "io.podman.", "io.buildah.")
_STATUS = {
    "Uid": "user", "Gid": "group", "Groups": "groups", "CapEff": "capabilities", "CapBnd": "most capabilities",
    "CapInh": "inherited capabilities", "CapAmb": "ambient capabilities", "NoNewPrivs": "new privileges", "Seccomp": "seccomp",
}  # fmt: skip
_SIGNALS = {"SIGHUP": "1", "SIGINT": "2", "SIGQUIT": "3", "SIGUSR1": "10", "SIGTERM": "15"}


def questions(asks: Mapping[str, Sequence[str]]) -> list[str]:
    """Write what a service's `x-asks` wants to know as arguments of the probe."""
    return [f"{kind}={what}" for kind in PROBED for what in asks.get(kind, ())]


def seen_inside(answer: bytes, container: str) -> Facts:
    """Read what the probe said in a container, of this id."""
    raw = dict(_lines(answer))
    texts = {name: value.decode(errors="replace").strip("\n") for name, value in raw.items()}
    facts: Facts = {}
    facts["command"] = _words(raw["cmdline"])
    for variable in raw["environ"].decode(errors="replace").split("\0"):
        name, equals, value = variable.partition("=")
        if equals:
            facts[f"variable {name}"] = _without(container, value)
    facts |= (
        _status(texts["status"])
        | _limits(texts["limits"])
        | _mounts(texts["mounts"])
        | _resolver(texts["resolv"])
    )
    facts["hostname"] = _without(container, texts["hostname"])
    facts["way out"] = "yes" if re.search(r"^\S+\t00000000\t", texts["routes"], re.MULTILINE) else "no"
    facts["processors"] = "/".join(texts["processors"].split())
    for name in ("directory", "input", "domainname", "memory", "reserved memory", "processes"):
        facts[name] = texts[name].strip()
    return facts | _answers(texts)


def seen_outside(inspections: Sequence[Inspection]) -> Facts:
    """Read what the engine says of a service's containers."""
    if not inspections or phase(inspections[0]) == "never started":
        return {"phase": "never started"}
    first = inspections[0]
    facts = {"containers": str(len(inspections)), "phase": phase(first)}
    if facts["phase"] == "ended":
        facts["exit code"] = str(first["State"]["ExitCode"])
    facts["restarts"] = str(first.get("RestartCount") or 0)
    config, host = first["Config"], first["HostConfig"]
    facts["stop signal"] = _signal(config.get("StopSignal"))
    facts["grace"] = str(config.get("StopTimeout") or 10)
    facts["restart policy"] = _policy(host.get("RestartPolicy") or {})
    facts["published"] = " ".join(
        sorted(k for k, v in (first["NetworkSettings"].get("Ports") or {}).items() if v)
    )
    for name, value in (config.get("Labels") or {}).items():
        if not name.startswith(_MAKERS_LABELS):
            facts[f"label {name}"] = value
    for mount in first.get("Mounts") or ():
        facts[f"kind of {mount['Destination']}"] = f"{mount['Type']} {'rw' if mount['RW'] else 'ro'}"
    return facts


def phase(inspection: Inspection) -> str:
    """Say how far a container is, in one word for both of Podman's and Docker's."""
    status = inspection["State"]["Status"]
    if status == "running":
        return "running"
    return "ended" if status in ("exited", "stopped") else "never started"


def moment(text: str) -> datetime:
    """Read the engine's time."""
    shortened = re.sub(r"(\.\d{1,6})\d*", r"\1", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(shortened).astimezone(UTC)


def _lines(answer: bytes) -> Iterator[tuple[str, bytes]]:
    for line in answer.decode().splitlines():
        name, tab, coded = line.partition("\t")
        if tab:
            yield name, base64.b64decode(coded)


def _words(command: bytes) -> str:
    return " ".join(command.decode(errors="replace").removesuffix("\0").split("\0"))


def _without(container: str, text: str) -> str:
    """Leave the container's id out, and that of another whose processes it sees."""
    return re.sub(r"^[0-9a-f]{12}$", "(id)", text.replace(container[:12], "(id)"))


def _status(text: str) -> Facts:
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {name: fields[field].strip() for field, name in _STATUS.items()}
    facts["user"], facts["group"] = facts["user"].split()[0], facts["group"].split()[0]
    return facts


def _limits(text: str) -> Facts:
    rows = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[1:])
    return {f"limit {row[0]}": " ".join(row[1:3]) for row in rows}


def _mounts(text: str) -> Facts:
    facts: Facts = {}
    for line in text.splitlines():
        _, target, kind, options, *_ = line.split()
        if target.startswith(_ENGINES_OWN) and target != "/dev/shm":
            continue
        said = re.sub(r",?(lowerdir|upperdir|workdir|redirect_dir|uuid|index|metacopy)=[^,]*", "", options)
        facts[f"mount {target}"] = f"{kind} {said}"
    return facts


def _resolver(text: str) -> Facts:
    lines = (line.split() for line in text.splitlines())
    return {
        f"resolver {words[0]}": " ".join(words[1:])
        for words in lines
        if words and words[0] in ("search", "options")
    }


def _answers(texts: Mapping[str, str]) -> Facts:
    facts: Facts = {}
    for name, text in texts.items():
        if name.partition(" ")[0] in ("file", "writes", "mode"):
            facts[name] = text
        elif name.startswith("resolves="):
            facts[name.replace("=", " ")] = "yes" if _address(text) else "no"
        elif name.startswith("address="):
            facts[name.replace("=", " ")] = _address(text)
        elif name.startswith("answer of "):
            facts[f"reaches {name.removeprefix('answer of ')}"] = "no" if text == "no" else "yes"
    return facts


def _address(text: str) -> str:
    """Return the address in what ping says first: `PING server (10.89.0.3): 56 data bytes`."""
    found = re.match(r"PING \S+ \(([^)]+)\)", text)
    return found[1] if found else ""


def _signal(name: str | int | None) -> str:
    text = str(name or "SIGTERM").upper()
    return _SIGNALS.get(text if text.startswith("SIG") or text.isdigit() else f"SIG{text}", text)


def _policy(policy: Mapping[str, Any]) -> str:
    return f"{policy.get('Name') or 'no'} {policy.get('MaximumRetryCount') or 0}"
