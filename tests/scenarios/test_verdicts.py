"""The story of a run, from the request to its verdict."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conductor import durable
from conductor.domain.event import Kind
from conductor.domain.lease import NamespaceStatus
from conductor.domain.run import Cleanup, Run, Status
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.reports.as_json import to_json
from tests.scenarios.stage import Stage
from tests.scenarios.troubled import EndlessBuilder

TWO_SUITES = """
version: 1
tests:
  - {name: api, image: node, command: [yarn, "test:api"]}
  - {name: web, image: node, command: [yarn, "test:web"]}
"""
ONE_IMAGE = """
version: 1
tests:
  - {name: api, build: {context: .}, command: [yarn, "test:api"]}
  - {name: web, build: {context: .}, command: [yarn, "test:web"]}
"""
ONE_SHOT = """
services:
  migrate: {image: node, command: [sh, -c, "echo migrated"]}
  backend: {image: node, depends_on: {migrate: {condition: service_completed_successfully}}}
"""
ALL_IN_ORDER = [
    (Kind.RUN_REQUESTED, ""),
    (Kind.RUN_STARTED, ""),
    (Kind.STEP_ENDED, "clone"),
    (Kind.STEP_ENDED, "read-plan"),
    (Kind.STEP_ENDED, "create-namespace"),
    (Kind.STEP_ENDED, "sync-secrets"),
    (Kind.BUILD_STARTED, "backend"),
    (Kind.BUILD_ENDED, "backend"),
    (Kind.SERVICE_CHANGED, "backend"),
    (Kind.STEP_ENDED, "raise-stack"),
    (Kind.SUITE_STARTED, "tests"),
    (Kind.SUITE_ENDED, "tests"),
    (Kind.STEP_ENDED, "capture-logs"),
    (Kind.LEASE_CHANGED, "conductor-RUN"),
    (Kind.STEP_ENDED, "write-report"),
    (Kind.RUN_ENDED, ""),
    (Kind.STEP_ENDED, "finish-run"),
]


def attempts(stage: Stage, run: Run) -> list[int]:
    return sorted(attempt for name, attempt in stage.store.runs if name == run.id)


def essence(outcome: Outcome) -> tuple[Verdict, Reason | None, Fault | None]:
    return outcome.verdict, outcome.reason, outcome.fault


async def test_a_green_run_passes_and_its_stack_stays(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, outcome = await stage.run()
    assert outcome.verdict is Verdict.PASSED
    assert set(stage.namespaces[run.namespace].workloads) == {"redis", "backend", "tests"}


async def test_the_events_of_a_run_come_in_the_order_of_its_story(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
    told = iter(stage.told(run))
    missing = [line for line in ALL_IN_ORDER if (line[0], line[1].replace("RUN", run.id)) not in told]
    assert missing == []
    assert [event.seq for event in stage.store.log[run.id]] == list(
        range(1, len(stage.store.log[run.id]) + 1)
    )


async def test_the_report_of_a_run_says_everything_and_lies_beside_the_logs(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, outcome = await stage.run()
        files = await stage.world.evidence.files(run.id, 1)
        logs = await stage.world.evidence.workloads(run.id, 1)
    report = stage.report(run)
    assert report.outcome == outcome
    assert [image.name for image in report.images] == ["backend", "tests/tests"]
    assert {service.name: service.health for service in report.services} == {
        "redis": "healthy",
        "backend": "none",
    }
    assert [(suite.suite, suite.counts.passed) for suite in report.suites] == [("tests", 1)]
    assert report.partial == ()
    assert set(report.links) == {"logs", "report", "stack"}
    assert {"report.json", "report.md", "digest.md", "blueprint.json"} <= set(files)
    assert any(name.startswith("artifacts/tests/") for name in files)
    assert set(logs) == {"redis", "backend", "tests", "build-backend", "build-tests-tests"}


async def test_a_service_that_is_ready_tells_how_long_that_took(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
    redis = next(service for service in stage.report(run).services if service.name == "redis")
    assert redis.ready_after_seconds is not None
    assert redis.ready_after_seconds > 0


@pytest.mark.parametrize(
    ("fail", "verdict", "reason"),
    [
        ("tests:fails", Verdict.FAILED, Reason.TESTS_FAILED),
        ("tests:hangs", Verdict.FAILED, Reason.DEADLINE_EXCEEDED),
        ("tests:OOMKilled", Verdict.FAILED, Reason.OOM_KILLED),
        ("tests:CommandNotFound", Verdict.BROKEN, Reason.COMMAND_NOT_FOUND),
        ("deploy/backend:ImagePullBackOff", Verdict.BROKEN, Reason.IMAGE_PULL),
        ("deploy/redis:never-ready", Verdict.BROKEN, Reason.UNHEALTHY),
        ("deploy/redis:slow=600", Verdict.BROKEN, Reason.NOT_READY),
        ("build/backend:BuildFailed", Verdict.BROKEN, Reason.BUILD_FAILED),
        ("build/tests/tests:BuildFailed", Verdict.BROKEN, Reason.BUILD_FAILED),
    ],
)
async def test_what_the_repository_can_mend_is_its_fault_and_is_not_tried_again(
    tmp_path: Path, fail: str, verdict: Verdict, reason: Reason
):
    async with Stage(tmp_path, fail=fail).launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (verdict, reason, Fault.REPOSITORY)
    assert outcome.remedy
    assert attempts(stage, run) == [1]
    assert stage.report(run).outcome == outcome
    assert stage.store.runs[run.id, 1].status is Status.ENDED


async def test_tests_that_hang_are_stopped_at_their_time_limit_and_not_long_after(tmp_path: Path):
    async with Stage(tmp_path, fail="tests:hangs").launched() as stage:
        run, _ = await stage.run()
    (suite,) = stage.report(run).suites
    assert timedelta(minutes=10) <= timedelta(seconds=suite.seconds) < timedelta(minutes=10, seconds=30)


@pytest.mark.parametrize(("restart", "reason"), [("no", Reason.ERROR), ("always", Reason.CRASHED)])
async def test_a_crash_shows_the_last_lines_of_the_service_that_it_is_about(
    tmp_path: Path, restart: str, reason: Reason
):
    crashing = f"""
services:
  backend: {{image: node, command: [sh, -c, "echo no database; exit 3"], restart: "{restart}"}}
"""
    async with Stage(tmp_path, compose=crashing).launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (Verdict.BROKEN, reason, Fault.REPOSITORY)
    assert outcome.subject == "backend"
    assert stage.report(run).tail[-1].text == "no database"


async def test_a_secret_that_is_missing_is_named_before_anything_starts(tmp_path: Path):
    plan = "version: 1\ntests: {command: [yarn, test]}\nsecrets: [API_KEY]\n"
    async with Stage(tmp_path, plan=plan).launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (Verdict.BROKEN, Reason.SECRET_MISSING, Fault.REPOSITORY)
    assert "API_KEY_QA" in outcome.message
    assert not stage.namespaces[run.namespace].workloads
    assert stage.builder.builds == []


async def test_a_secret_is_masked_in_logs_and_report(tmp_path: Path):
    plan = 'version: 1\ntests: {command: [sh, -c, "echo key=$KEY; echo key=hunter2hunter2"]}\nsecrets: [API_KEY]\n'
    async with Stage(tmp_path, plan=plan, secrets={"API_KEY_QA": "hunter2hunter2"}).launched() as stage:
        run, _ = await stage.run()
        logged = [line.text async for line in stage.world.evidence.read_log(run.id, 1, workload="tests")]
    assert len(logged) == 2
    assert "hunter2" not in "".join(logged) + to_json(stage.report(run))


async def test_suites_run_side_by_side_and_the_red_one_decides(tmp_path: Path):
    async with Stage(tmp_path, plan=TWO_SUITES, fail="tests/tests-web:fails").launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY)
    assert outcome.subject == "web"
    verdicts = {suite.suite: suite.outcome.verdict for suite in stage.report(run).suites}
    assert verdicts == {"api": Verdict.PASSED, "web": Verdict.FAILED}
    assert [failure.case.name for failure in stage.report(run).failures] == ["breaks"]


async def test_a_suite_that_breaks_leaves_the_one_beside_it_its_verdict(tmp_path: Path):
    plan = TWO_SUITES.replace("web, image: node", "web, build: {context: .}")
    async with Stage(tmp_path, plan=plan, fail="build/tests/tests-web:BuildFailed").launched() as stage:
        run, outcome = await stage.run()
    assert outcome.reason is Reason.BUILD_FAILED
    assert {suite.suite for suite in stage.report(run).suites} <= {"api", "web"}
    assert stage.report(run).outcome.subject == "tests/tests-web"


async def test_two_suites_of_one_image_share_one_build(tmp_path: Path):
    async with Stage(tmp_path, plan=ONE_IMAGE).launched() as stage:
        run, outcome = await stage.run()
    assert outcome.verdict is Verdict.PASSED
    assert sorted(stage.builder.builds) == ["backend", "tests/tests-api"]
    workloads = stage.namespaces[run.namespace].workloads
    assert workloads["tests-api"].service.image == workloads["tests-web"].service.image != ""


async def test_what_is_unchanged_is_not_built_again(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        await stage.run()
        run, _ = await stage.run()
    assert sorted(stage.builder.builds) == ["backend", "tests/tests"]
    assert [image.cached for image in stage.report(run).images] == [True, True]


async def test_a_one_shot_service_ends_before_what_waits_for_it_begins(tmp_path: Path):
    async with Stage(tmp_path, compose=ONE_SHOT).launched() as stage:
        run, outcome = await stage.run()
    workloads = stage.namespaces[run.namespace].workloads
    migrated = workloads["migrate"].state(stage.clock.now()).ended_at
    assert outcome.verdict is Verdict.PASSED
    assert migrated is not None
    assert migrated <= workloads["backend"].lives[0].began_at


@pytest.mark.parametrize(
    ("rule", "asked", "fail", "stays"),
    [
        ("keep", None, "", True),
        ("always", None, "", False),
        ("always", None, "tests:fails", False),
        ("on-success", None, "", False),
        ("on-success", None, "tests:fails", True),
        ("always", Cleanup.KEEP, "", True),
        ("keep", Cleanup.ALWAYS, "", False),
    ],
)
async def test_the_stack_stays_or_goes_by_the_rule_and_what_was_asked_counts_more_than_the_file(
    tmp_path: Path, rule: str, asked: Cleanup | None, fail: str, *, stays: bool
):
    plan = f"version: 1\ncleanup: {rule}\ntests: {{command: [yarn, test]}}\n"
    async with Stage(tmp_path, plan=plan, fail=fail).launched() as stage:
        run, _ = await stage.run(cleanup=asked)
    assert (run.namespace in stage.namespaces) is stays
    assert (stage.report(run).lease is not None) is stays
    assert (tmp_path / "runs" / run.id / "1" / "checkout").exists() is stays
    assert (run.namespace in stage.store.marks) is stays


async def test_the_mark_says_that_a_run_is_at_work_and_then_how_long_its_stack_is_kept(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run = await stage.request(keep_for=timedelta(hours=3))
        from_start = stage.clock.now()
        handle = await stage.start(run)
        await stage.until(run, Kind.STEP_ENDED, "create-namespace")
        at_work = stage.namespaces[run.namespace].lease
        await handle.result()
    kept = stage.namespaces[run.namespace].lease
    assert at_work is not None
    assert kept is not None
    assert (at_work.status, kept.status) == (NamespaceStatus.ACTIVE, NamespaceStatus.KEPT)
    assert at_work.expires_at is not None
    assert at_work.expires_at > from_start + timedelta(hours=3)
    assert kept.expires_at is not None
    assert kept.expires_at - stage.report(run).ended_at == timedelta(hours=3)
    assert stage.store.marks[run.namespace] == kept


async def test_a_fault_of_the_platform_is_tried_once_more_and_nothing_of_the_first_attempt_stays(
    tmp_path: Path,
):
    async with Stage(tmp_path, fail="tests:Evicted").launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (Verdict.BROKEN, Reason.EVICTED, Fault.PLATFORM)
    assert attempts(stage, run) == [1, 2]
    assert list(stage.namespaces) == [f"{run.namespace}-2"]
    assert list(stage.store.marks) == [f"{run.namespace}-2"]
    assert stage.report(run, 1).lease is None
    assert stage.report(run, 2).lease is not None
    ended = [event.data["again"] for event in stage.store.log[run.id] if event.kind is Kind.RUN_ENDED]
    assert ended == [True, False]


async def test_what_an_engine_that_was_away_kept_of_the_first_attempt_goes_with_the_second(tmp_path: Path):
    async with Stage(tmp_path, fail="engine:gone=15").launched() as stage:
        run, outcome = await stage.run()
    assert outcome.verdict is Verdict.PASSED
    assert attempts(stage, run) == [1, 2]
    assert stage.report(run, 1).outcome.reason is Reason.ENGINE_UNREACHABLE
    assert list(stage.namespaces) == [f"{run.namespace}-2"]
    assert list(stage.store.marks) == [f"{run.namespace}-2"]


async def test_an_engine_that_is_away_for_a_moment_costs_no_attempt(tmp_path: Path):
    async with Stage(tmp_path, fail="engine:gone=5").launched() as stage:
        run, outcome = await stage.run()
    assert outcome.verdict is Verdict.PASSED
    assert attempts(stage, run) == [1]


async def test_an_engine_that_never_comes_back_ends_in_a_verdict_and_a_report(tmp_path: Path):
    async with Stage(tmp_path, fail="engine:gone=86400").launched() as stage:
        run, outcome = await stage.run()
    assert essence(outcome) == (Verdict.BROKEN, Reason.ENGINE_UNREACHABLE, Fault.PLATFORM)
    assert outcome.exit_code == 4
    assert attempts(stage, run) == [1, 2]
    assert stage.report(run, 2).partial


async def test_builds_still_under_way_are_cancelled_when_one_fails_and_nothing_is_left_to_be_resumed(
    tmp_path: Path,
):
    stage = Stage(tmp_path, fail="build/tests/tests:BuildFailed", builder=EndlessBuilder)
    async with stage.launched():
        run, outcome = await stage.run()
    async with stage.launched():
        assert await durable.orphans() == []
    assert (outcome.reason, outcome.subject) == (Reason.BUILD_FAILED, "tests/tests")
    assert stage.builder.stopped == [run.id]


async def test_a_file_that_is_wrong_ends_the_run_with_every_problem(tmp_path: Path):
    async with Stage(tmp_path, plan="version: 1\ntest: 1\ncleanup: never\n").launched() as stage:
        _, outcome = await stage.run()
    assert essence(outcome) == (Verdict.BROKEN, Reason.CONFIGURATION, Fault.REPOSITORY)
    assert outcome.exit_code == 2
    assert "test" in outcome.message
    assert "cleanup" in outcome.message
    assert stage.namespaces == {}


async def test_a_repository_that_cannot_be_cloned_is_tried_once_more(tmp_path: Path):
    stage = Stage(tmp_path)
    async with stage.launched():
        run = await stage.request()
        stage.forge.broken.add(run.source.location)
        handle = await stage.start(run)
        outcome = await handle.result()
    assert essence(outcome) == (Verdict.BROKEN, Reason.CLONE_FAILED, Fault.PLATFORM)
    assert attempts(stage, run) == [1, 2]
