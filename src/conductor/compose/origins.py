"""From what an engine says of a `Stack` back to the keys that asked for it, through merging, `extends`, `include` and short forms.

Law: a path of the stack is that of the merged project (`services.web.ulimits.nofile`), save for mounts, which are counted over all four
attributes that make them, and for what several attributes can say (the table below).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from conductor.compose.findings import Findings, Place
from conductor.compose.node import Node

ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("environment", "env_file"),
    ("labels", "label_file"),
    ("cpus", "deploy.resources.limits.cpus"),
    ("cpus", "cpu_quota"),
    ("mem_limit", "deploy.resources.limits.memory"),
    ("mem_reservation", "deploy.resources.reservations.memory"),
    ("pids_limit", "deploy.resources.limits.pids"),
    ("deploy.replicas", "scale"),
    ("restart", "deploy.restart_policy"),
    ("ports", "expose"),
    ("depends_on", "links"),
    ("volumes", "volumes_from"),
)
"""Attributes of a service that say the same thing: where one is not there, the other was meant."""

_INDEX = re.compile(r"\[(\d+)\]")


class Origins:
    """Finds places in one merged project."""

    def __init__(self, project: Node | None, findings: Findings) -> None:
        self._project, self._findings = project, findings

    def find(self, path: str) -> Node | None:
        """Return what stands at a path of the stack; None where no file asked for it."""
        for written in (path, *_others(path)):
            node, rest = self._begin(written)
            found = _walk(node, rest) if node is not None else None
            if found is not None:
                return found
        return None

    def places(self, path: str) -> Iterator[Place]:
        """Yield every place that has a part in it: those of files that were merged into one, and all below it."""
        found = self.find(path)
        if found is not None:
            yield from dict.fromkeys(self._all(found))

    def joined(self, place: Place) -> tuple[Place, ...]:
        """Return a place and all those on which it was laid."""
        seen = {place: None}
        waiting = [place]
        while waiting:
            below = [one for one in self._findings.joined.get(waiting.pop(), ()) if one not in seen]
            seen |= dict.fromkeys(below)
            waiting += below
        return tuple(seen)

    def _begin(self, path: str) -> tuple[Node | None, str]:
        """Begin at a mount, if the path is of one, else at the project."""
        head, sign, rest = path.partition("]")
        origin = self._findings.origins.get(f"{head}]") if sign else None
        return (origin, rest) if origin is not None else (self._project, path)

    def _all(self, node: Node) -> Iterator[Place]:
        yield from self.joined((node.source, node.path))
        for _, below in node.items():  # noqa: PERF102 -- a Node has no `values`
            yield from self._all(below)


def _others(path: str) -> Iterator[str]:
    """Yield where it may stand instead: of `services.web.environment.A` that is `services.web.env_file`."""
    for pair in ELSEWHERE:
        for one, other in (pair, pair[::-1]):
            match = re.fullmatch(rf"(services\..+?)\.{re.escape(one)}(?:[.\[].*)?", path)
            if match:
                yield f"{match[1]}.{other}"


def _walk(node: Node, rest: str) -> Node | None:
    """Follow a dotted path; names may have dots themselves, so the longest one that fits is taken first."""
    rest = rest.removeprefix(".")
    if not rest:
        return node
    if match := _INDEX.match(rest):
        items = node.value if isinstance(node.value, list) else []
        number = int(match[1])
        return _walk(items[number], rest[match.end() :]) if number < len(items) else None
    for name, below in sorted(node.items(), key=lambda item: -len(item[0])):
        if rest == name or rest.startswith((f"{name}.", f"{name}[")):
            found = _walk(below, rest[len(name) :])
            if found is not None:
                return found
    return None
