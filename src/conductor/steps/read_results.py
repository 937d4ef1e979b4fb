"""read-results: what a suite's job left behind becomes its result."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.globs import matches
from conductor.domain.masking import Masker
from conductor.domain.results import Ending, ReportProblem, SuiteResult
from conductor.domain.run import Run
from conductor.domain.stack import Job
from conductor.domain.verdict import Reason
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.engine import PARTIAL_ENTRY
from conductor.ports.world import the_world
from conductor.reports.judge import judge_suite
from conductor.reports.junit import read_junit
from conductor.reports.quarantine import excuse, failed_cases, in_quarantine
from conductor.steps.place import place_of, secrets_at_hand
from conductor.steps.tell import tell

_LARGEST_FILE_BYTES = 64 * 2**20
_MOST_FILES = 20_000


@step("read-results", subject=lambda _run, _blueprint, suite, _ending: suite)
async def read_results(run: Run, blueprint: Blueprint, suite: str, ending: Ending) -> SuiteResult:
    """Keep reports and artifacts as evidence, read the reports, and judge. Broken reports are told, never raised."""
    ended_by = Reason.DEADLINE_EXCEEDED if ending.timed_out else None
    return await keep_results(run, blueprint, suite, ending, ended_by=ended_by)


async def keep_results(
    run: Run, blueprint: Blueprint, suite: str, ending: Ending, *, ended_by: Reason | None
) -> SuiteResult:
    """Do so for a suite that ended by itself, or that somebody stopped for the reason `ended_by`."""
    job = blueprint.job(suite)
    mask = await secrets_at_hand(run, blueprint)
    found = await _collect(run, job, mask)
    junit = read_junit(found.reports, mask=mask)
    result = judge_suite(
        suite,
        ending.state,
        junit,
        time_limit=job.time_limit,
        ended_by=ended_by,
        expected=job.reports,
    )
    problems = (*result.problems, *(ReportProblem(file="", why=mask(why)) for why in found.missing))
    result = replace(
        result,
        artifacts=tuple(found.kept),
        problems=problems,
        partial=result.partial or bool(found.missing),
    )
    result = await _excused(run, result)
    await put_on_record(run, result)
    return result


async def _excused(run: Run, result: SuiteResult) -> SuiteResult:
    """Take out of the verdict what is in quarantine now, and tell it. The record of the step says what was decided."""
    world = the_world()
    if world.history is None or not failed_cases(result):
        return result
    listed = await world.history.quarantined(run.repository)
    excused = excuse(result, listed, now=world.clock.now())
    for number, text in enumerate(in_quarantine(excused, listed)):
        await tell(run, Kind.NOTE, key=f"quarantine/{number}", subject=result.suite, text=text)
    return excused


async def put_on_record(run: Run, result: SuiteResult) -> None:
    """Record the result of a suite, and tell it."""
    await the_world().store.save_result(run, result)
    counts = result.counts
    await tell(
        run,
        Kind.SUITE_ENDED,
        subject=result.suite,
        key="ended",
        verdict=result.outcome.verdict,
        passed=counts.passed,
        failed=counts.failed,
        errors=counts.errors,
        skipped=counts.skipped,
        quarantined=counts.quarantined,
        seconds=result.seconds,
    )


@dataclass(kw_only=True)
class _Found:
    """What a job left: reports by their names, the names under which files are kept, and what is missing in words."""

    mask: Masker
    reports: dict[str, bytes] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def _collect(run: Run, job: Job, mask: Masker) -> _Found:
    found = _Found(mask=mask)
    world = the_world()
    try:
        with tempfile.TemporaryFile(dir=world.evidence.folder(run.id, run.attempt)) as archive:
            async with aclosing(world.engine.collect(place_of(run), job)) as chunks:
                async for chunk in chunks:
                    archive.write(chunk)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                for member, content in _files(tar, found.missing):
                    await _keep(run, job, member, content, found)
    except (ConductorError, tarfile.TarError, OSError) as error:
        found.missing.append(f"reports and artifacts could not be collected: {error}")
    return found


async def _keep(run: Run, job: Job, member: str, content: bytes, found: _Found) -> None:
    """Keep a file. A report is kept masked, as what is read of it is; what else a repository keeps is its own business."""
    if any(matches(pattern, member) for pattern in job.reports):
        found.reports[member] = content
        content = found.mask(content.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    name = f"artifacts/{job.workload.name}/{member}"
    try:
        await the_world().evidence.save(run.id, run.attempt, name, content)
        found.kept.append(name)
    except ConductorError as error:
        found.missing.append(f"{member} could not be kept: {error.message}")


def _files(tar: tarfile.TarFile, missing: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the plain files of an archive that a repository filled: no links, no devices, nothing huge, no way out.

    What is left out, here or by the engine, is told to `missing`.
    """
    for number, member in enumerate(tar):
        name = member.name.removeprefix("./").lstrip("/")
        if number >= _MOST_FILES:
            missing.append(f"only the first {_MOST_FILES} files were kept")
            return
        if not member.isfile() or ".." in Path(name).parts:
            continue
        if member.size > _LARGEST_FILE_BYTES:
            missing.append(f"{name} is larger than {_LARGEST_FILE_BYTES // 2**20} MiB and was not kept")
            continue
        content = tar.extractfile(member)
        if content is None:
            continue
        if name == PARTIAL_ENTRY:
            missing += content.read().decode(errors="replace").splitlines()
        else:
            yield name, content.read()
