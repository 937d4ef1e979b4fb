"""What `conductor check` says of files that are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from conductor.compose.account import is_as_compose
from conductor.domain.account import Entry
from conductor.domain.stack import Job
from conductor.operations.check import CheckResult
from conductor.reports.words import duration, plural


def check_lines(result: CheckResult) -> Iterator[str]:
    """Yield what a run of this folder would make, a line for each kind of thing."""
    blueprint = result.blueprint
    services = [service.name for service in blueprint.stack.services]
    yield f"{result.folder.name}: the configuration is right"
    yield f"  services  {', '.join(services) or 'none'}"
    yield f"  builds    {', '.join(image.name for image in blueprint.images) or 'none'}"
    yield f"  tests     {'; '.join(map(_suite, blueprint.jobs))}"
    yield f"  secrets   {', '.join(blueprint.secret_names) or 'none'}"
    yield f"  cleanup   {blueprint.plan.cleanup} (a kept stack lives {duration(blueprint.plan.keep_for.total_seconds())})"
    if noted := _noted(blueprint.account):
        yield f"  {plural(len(noted), 'note')} on how it is carried out:"
        yield from (f"    {entry.file}:{entry.line}: {entry.path}: {entry.note}" for entry in noted)
    yield from (f"  note      {note}" for note in blueprint.notes)
    for engine, problems in result.elsewhere.items():
        yield f"  On {engine} {plural(len(problems), 'thing')} would be refused (`conductor convert --account` has them all):"
        yield from (f"    {problem.file}:{problem.line}: {problem.message}" for problem in problems)
    yield from (f"warning: {warning}" for warning in result.warnings)


def check_json(result: CheckResult) -> dict[str, Any]:
    """Make the same of it as data."""
    blueprint = result.blueprint
    return {
        "folder": result.folder,
        "ok": True,
        "services": [service.name for service in blueprint.stack.services],
        "builds": [image.name for image in blueprint.images],
        "suites": [
            {"name": job.suite, "command": job.workload.command, "timeout": job.time_limit}
            for job in blueprint.jobs
        ],
        "secrets": blueprint.secret_names,
        "plan": blueprint.plan,
        "account": blueprint.account,
        "notes": blueprint.notes,
        "warnings": result.warnings,
        "elsewhere": result.elsewhere,
    }


def _noted(account: Sequence[Entry]) -> list[Entry]:
    """Pick the entries with a note that says more than what Compose does; what is said of a key is not said again below it."""
    noted = [entry for entry in account if entry.note and not is_as_compose(entry.note)]
    told = {(entry.file, entry.path, entry.note) for entry in noted}
    return [
        entry
        for entry in noted
        if not any((entry.file, path, entry.note) in told for path in _above(entry.path))
    ]


def _above(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _suite(job: Job) -> str:
    command = " ".join(job.workload.command or ())
    return f"{job.suite}: {command} (at most {duration(job.time_limit.total_seconds())})"
