"""read-results: what a suite's job left behind becomes its result."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
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
from conductor.ports.world import the_world
from conductor.reports.judge import judge_suite
from conductor.reports.junit import JUnit, read_junit
from conductor.steps.place import place_of, secrets_at_hand
from conductor.steps.tell import tell

_LARGEST_REPORT_BYTES = 64 * 2**20
_MOST_FILES = 20_000


@step("read-results", subject=lambda _run, _blueprint, suite, _ending: suite)
async def read_results(run: Run, blueprint: Blueprint, suite: str, ending: Ending) -> SuiteResult:
    """Keep reports and artifacts as evidence, read the reports, and judge. Broken reports are told, never raised."""
    job = blueprint.job(suite)
    mask = await secrets_at_hand(run, blueprint)
    junit, kept, missing = await _collect(run, job, mask)
    result = judge_suite(
        suite,
        ending.state,
        junit,
        time_limit=job.time_limit,
        ended_by=Reason.DEADLINE_EXCEEDED if ending.timed_out else None,
        expected=job.reports,
    )
    problems = (*result.problems, *(ReportProblem(file="", why=why) for why in missing))
    result = replace(result, artifacts=kept, problems=problems, partial=result.partial or bool(missing))
    await the_world().store.save_result(run, result)
    counts = result.counts
    await tell(
        run,
        Kind.SUITE_ENDED,
        subject=suite,
        key="ended",
        verdict=result.outcome.verdict,
        passed=counts.passed,
        failed=counts.failed,
        errors=counts.errors,
        skipped=counts.skipped,
        seconds=result.seconds,
    )
    return result


async def _collect(run: Run, job: Job, mask: Masker) -> tuple[JUnit, tuple[str, ...], tuple[str, ...]]:
    """Return the reports, the names under which files are kept, and what is missing in words."""
    world = the_world()
    reports: dict[str, bytes] = {}
    kept: list[str] = []
    try:
        with tempfile.TemporaryFile(dir=world.evidence.folder(run.id, run.attempt)) as archive:
            async with aclosing(world.engine.collect(place_of(run), job)) as chunks:
                async for chunk in chunks:
                    archive.write(chunk)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                for member, content in _files(tar):
                    name = f"artifacts/{job.workload.name}/{member}"
                    await world.evidence.save(run.id, run.attempt, name, content)
                    kept.append(name)
                    if any(matches(pattern, member) for pattern in job.reports):
                        reports[member] = content
    except (ConductorError, tarfile.TarError) as error:
        missing = (f"reports and artifacts could not be collected: {error}",)
        return read_junit(reports, mask=mask), tuple(kept), missing
    return read_junit(reports, mask=mask), tuple(kept), ()


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yield the plain files of an archive that a repository filled: no links, no devices, nothing huge, no way out."""
    for number, member in enumerate(tar):
        if number >= _MOST_FILES:
            return
        path = Path(member.name)
        if not member.isfile() or ".." in path.parts or member.size > _LARGEST_REPORT_BYTES:
            continue
        content = tar.extractfile(member)
        if content is not None:
            yield member.name.removeprefix("./").lstrip("/"), content.read()
