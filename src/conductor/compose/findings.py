"""What is found on the way: mistakes, refusals and remarks, each at the line that it is about, all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import TracebackType

from conductor.compose.node import Node, Source
from conductor.documents.document import Path
from conductor.errors import Problem

Place = tuple[Source, Path]

MOST_PROBLEMS = 200


class MistakeError(Exception):
    """Raised by readers of values: this is wrong. Caught by `Findings.catching`."""

    def __init__(self, node: Node, message: str, *, remedy: str = "", key: bool = False) -> None:
        super().__init__(message)
        self.node, self.message, self.remedy, self.key = node, message, remedy, key


class RefusalError(Exception):
    """Raised by readers of values: Compose does this, Conductor does not. `why` follows "is refused: "."""

    def __init__(self, node: Node, what: str, why: str, *, instead: str) -> None:
        super().__init__(why)
        self.node, self.what, self.why, self.instead = node, what, why, instead


@dataclass(frozen=True, slots=True)
class Findings:
    """Collects. `refused` and `notes` are for the account, by the place that they are about.

    `joined` tells for a place on which others it was laid when files were merged. `origins` tells where a mount of the `Stack` was
    written: `services.web.volumes[0]` is the first one of `web`, whichever attribute made it.
    """

    problems: list[Problem] = field(default_factory=list)
    refused: dict[Place, tuple[str, str]] = field(default_factory=dict)
    notes: dict[Place, str] = field(default_factory=dict)
    origins: dict[str, Node] = field(default_factory=dict)
    joined: dict[Place, list[Place]] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Tell whether so much is wrong that no more is said."""
        return len(self.problems) > MOST_PROBLEMS

    def add(self, *problems: Problem) -> None:
        """Record problems, each once, as long as anybody would read them."""
        for problem in problems:
            if self.is_full or problem in self.problems:
                continue
            more = "more is wrong than is shown here"
            full = len(self.problems) == MOST_PROBLEMS
            rest = Problem(file=problem.file, message=more, remedy="Mend these first.")
            self.problems.append(rest if full else problem)

    def mistake(self, node: Node, message: str, *, remedy: str = "", key: bool = False) -> None:
        """Record that something is wrong, once for each place and message."""
        problem = node.source.document.problem(node.path, message, remedy=remedy, key=key)
        self.refused.setdefault((node.source, node.path), (message, remedy))
        self.add(problem)

    def refuse(self, node: Node, what: str, why: str, *, instead: str) -> None:
        """Record that something is refused, and what to do instead."""
        self.refused[node.source, node.path] = (why, instead)
        problem = node.source.document.problem(
            node.path, f"{what} is refused: {why}", remedy=instead, key=True
        )
        self.add(replace(problem, refused=True))

    def note(self, node: Node, text: str) -> None:
        """Record how something is carried, where that is not obvious."""
        self.notes[node.source, node.path] = text

    def join(self, base: Node, over: Node) -> None:
        """Record that `over` was laid on `base`, and that both have a part in what came of it."""
        self.joined.setdefault((over.source, over.path), []).append((base.source, base.path))

    def catching(self) -> Catching:
        """Turn what a reader raises within this context into a finding, and go on after it."""
        return Catching(self)


@dataclass(frozen=True, slots=True)
class Catching:
    """The context of `Findings.catching`."""

    findings: Findings

    def __enter__(self) -> None:
        """Begin to catch."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Record what was raised, if it is about a value."""
        if isinstance(error, MistakeError):
            self.findings.mistake(error.node, error.message, remedy=error.remedy, key=error.key)
        elif isinstance(error, RefusalError):
            self.findings.refuse(error.node, error.what, error.why, instead=error.instead)
        return isinstance(error, MistakeError | RefusalError)
