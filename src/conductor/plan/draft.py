"""What is worked out of a checkout before anybody says no: its stack, its jobs, and what every engine would make of each key.

Law: what an engine refuses is told at the file, line and column that asked for it. Of a suite that is a service of the compose files
that is the service's; of another it is the suite in `.conductor.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conductor.compose.load import Loaded
from conductor.compose.node import dotted
from conductor.compose.reader import Checkout
from conductor.documents.document import Document, Path, read_document
from conductor.domain.account import Entry
from conductor.domain.plan import PLAN_FILE, Plan, Suite
from conductor.domain.stack import Job, Stack
from conductor.errors import Problem
from conductor.ports.engine import Renderer

_TESTS = "tests."


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """`stack` is without the services that are test suites; `loaded` has them. `plan` None is a folder without `.conductor.yaml`."""

    checkout: Checkout
    loaded: Loaded
    stack: Stack
    jobs: tuple[Job, ...] = ()
    plan: Plan | None = None
    notes: tuple[str, ...] = ()
    """What the default branch's file took away from the plan."""

    def refused_by(self, engine: Renderer) -> tuple[Entry, ...]:
        """List what this engine cannot do of what the others can, each at the key that asked for it."""
        return tuple(dict.fromkeys(self._placed(entry) for entry in self._asked(engine)))

    def problems_on(self, engine: Renderer) -> tuple[Problem, ...]:
        """Say what this engine refuses as mistakes of the files are said: with the line and a caret."""
        return tuple(dict.fromkeys(self._problem(engine.name, entry) for entry in self._asked(engine)))

    def account(self, engines: Sequence[Renderer]) -> tuple[Entry, ...]:
        """Tell of every key of the compose files, on all these engines."""
        return self.loaded.ledger.account({engine.name: self._asked(engine) for engine in engines})

    def _asked(self, engine: Renderer) -> tuple[Entry, ...]:
        """Ask the engine; what it says of a suite that is a service is said of that service."""
        return tuple(self._of_the_service(entry) for entry in engine.unsupported(self.stack, self.jobs))

    def _of_the_service(self, entry: Entry) -> Entry:
        suite, rest = self._suite_of(entry.path)
        if suite is None or suite.service is None:
            return entry
        return replace(entry, path=f"services.{suite.service}{rest}")

    def _suite_of(self, path: str) -> tuple[Suite | None, str]:
        """Find the suite that a path is of, by its name or its job's, and what follows it."""
        if self.plan is None or not path.startswith(_TESTS):
            return None, ""
        inner = path.removeprefix(_TESTS)
        for suite, job in zip(self.plan.suites, self.jobs, strict=False):
            for name in (suite.name, job.workload.name):
                if inner == name or inner.startswith((f"{name}.", f"{name}[")):
                    return suite, inner.removeprefix(name)
        return None, ""

    def _where(self, path: str) -> tuple[Document, Path] | None:
        suite, _ = self._suite_of(path)
        if suite is None or self.plan is None:
            return self.loaded.ledger.where(path)
        document = read_document(self.checkout.read(PLAN_FILE), file=PLAN_FILE)
        several = isinstance(document.data.get("tests"), list)
        return document, ("tests", self.plan.suites.index(suite)) if several else ("tests",)

    def _placed(self, entry: Entry) -> Entry:
        where = self._where(entry.path)
        if where is None:
            return entry
        document, path = where
        mark = document.mark(path, key=True)
        return replace(entry, file=document.file, line=mark.line, column=mark.column, path=dotted(path))

    def _problem(self, engine: str, entry: Entry) -> Problem:
        where = self._where(entry.path)
        if where is None:
            message = f"`{entry.path}` is refused on {engine}: {entry.why}"
            return Problem(file="", message=message, remedy=entry.instead, refused=True)
        document, path = where
        key = dotted(path[-2:]) if isinstance(path[-1], int) else path[-1]
        message = f"`{key}` is refused on {engine}: {entry.why}"
        problem = document.problem(path, message, remedy=entry.instead, key=True)
        return replace(problem, refused=True)
