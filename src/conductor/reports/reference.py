"""The reference pages of verdicts and of errors, made from the code: `python -m conductor.reports.reference docs/reference`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from conductor.domain.states import REMEDIES, fault_of
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.errors import ConductorError

STOPPED = (Reason.CANCELLED, Reason.SUPERSEDED)
"""Their fault is nobody's."""


def verdicts_page() -> str:
    """Write `verdicts.md`: every verdict, fault and reason, with what to do."""
    return "\n".join([
        "# Verdicts",
        "",
        "How a run ends. A red test is a verdict, never an error; `broken` means that there was no fair test.",
        "",
        "<!-- Generated from src/conductor/domain/verdict.py and states.py by `python -m conductor.reports.reference docs/reference`. -->",
        "",
        "| verdict | exit code of `conductor run` | meaning |",
        "|---|---|---|",
        *_verdicts(),
        "",
        "A run whose reason is `InvalidConfiguration` or `Refused` is `broken` and answers 2: the question was wrong.",
        "Of several suites the worst decides: cancelled, superseded, broken, failed, passed.",
        "",
        "## Faults",
        "",
        "| fault | who can mend it |",
        "|---|---|",
        *(f"| `{fault}` | {meaning} |" for fault, meaning in _meanings(Fault).items()),
        "",
        "## Reasons",
        "",
        "Each verdict but `passed` has a reason. The words are Kubernetes' own where it has one. The fault is the usual one:",
        "what saw the failure may know better.",
        "",
        "| reason | meaning | fault | what to do |",
        "|---|---|---|---|",
        *_reasons(),
        "",
    ])  # fmt: skip


def errors_page() -> str:
    """Write `errors.md`: every class of error."""
    return "\n".join([
        "# Errors",
        "",
        "Every way in which Conductor says no. The code is stable; the message says what happened and to what, and a remedy what to do.",
        "",
        "<!-- Generated from src/conductor/errors.py by `python -m conductor.reports.reference docs/reference`. -->",
        "",
        "| code | class | exit code | worth trying again | meaning |",
        "|---|---|---|---|---|",
        *(_error(kind) for kind in error_classes()),
        "",
    ])  # fmt: skip


def error_classes() -> tuple[type[ConductorError], ...]:
    """List the classes as the tree in `errors.py` has them, the root first."""
    return tuple(_with_children(ConductorError))


def _with_children(kind: type[ConductorError]) -> Iterator[type[ConductorError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == ConductorError.__module__:
            yield from _with_children(child)


def _error(kind: type[ConductorError]) -> str:
    again = "yes" if kind.retryable else "no"
    return f"| `{kind.code}` | `{kind.__name__}` | {kind.exit_code} | {again} | {_first_line(kind)} |"


def _first_line(kind: type[ConductorError]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _verdicts() -> Iterator[str]:
    for verdict, meaning in _meanings(Verdict).items():
        yield f"| `{verdict}` | {Outcome(verdict=Verdict(verdict)).exit_code} | {meaning} |"


def _reasons() -> Iterator[str]:
    for word, meaning in _meanings(Reason).items():
        reason = Reason(word)
        fault = "" if reason in STOPPED else f"`{fault_of(reason)}`"
        yield f"| `{word}` | {meaning} | {fault} | {REMEDIES[reason]} |"


def _meanings(kind: type[StrEnum]) -> Mapping[str, str]:
    """Map each value of an enumeration to the docstring below it. KeyError where one has none."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    found: dict[str, str] = {}
    name = ""
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = str(node.value.value)
    return {member.value: found[member.name] for member in kind}


def write(folder: Path) -> None:
    """Write both pages."""
    (folder / "verdicts.md").write_text(verdicts_page(), encoding="utf-8")
    (folder / "errors.md").write_text(errors_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
