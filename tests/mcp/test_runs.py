"""The tools about runs, over a whole server with the fake engine: what they answer, to whom, and how they refuse."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.domain.report import LogLine
from conductor.domain.run import Status
from tests.mcp.agents import ADMIN, AGENT, READER, RIVAL, STRANGER, Office, office
from tests.scenarios.service_stage import BOUND_SECONDS, SHOP, TAG

OF_A_RUN = (
    "wait_for_run",
    "run_digest",
    "run_logs",
    "rerun_failed",
    "cancel_run",
    "keep_stack",
    "delete_stack",
)
RED = "tests:fails"


async def test_a_commit_is_run_once_and_waited_for_to_its_verdict(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent:
        commit, _ = desk.server.push()
        begun = await agent.ask("start_run", repository=SHOP, ref=TAG)
        assert (begun["is_new"], begun["commit"], begun["attempt"]) == (True, commit, 1)
        looked = await agent.ask("wait_for_run", run=begun["run"], timeout_seconds=0)
        assert (looked["status"], looked["verdict"]) == (Status.QUEUED, None)
        assert f"after={looked['after']}" in looked["next"]
        await desk.server.until_quiet()
        ended = await agent.ask("wait_for_run", run=begun["run"], after=looked["after"])
        assert (ended["status"], ended["verdict"]) == (Status.ENDED, "passed")
        assert ended["happened"][-1].endswith("verdict: passed")
        once_more = await agent.ask("start_run", repository=SHOP, ref=commit)
        assert (once_more["run"], once_more["is_new"], once_more["attempt"]) == (begun["run"], False, 1)
        anew = await agent.ask("start_run", repository=SHOP, ref=commit, again=True)
        assert (anew["run"], anew["is_new"], anew["attempt"]) == (begun["run"], True, 2)


async def test_who_waits_is_told_of_progress_as_it_comes(tmp_path: Path):
    told: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with office(tmp_path) as desk, desk.as_(AGENT) as agent:
        desk.server.push()
        begun = await agent.ask("start_run", repository=SHOP, ref=TAG)
        waiting = asyncio.create_task(
            agent.client.call_tool("wait_for_run", {"run": begun["run"]}, progress_callback=hear)
        )
        await desk.server.until_quiet()
        answer = await asyncio.wait_for(waiting, BOUND_SECONDS)
    assert answer.structured_content
    assert answer.structured_content["verdict"] == "passed"
    assert any("service redis" in line for line in told)
    assert told[-1].endswith("verdict: passed")


async def test_a_red_run_is_told_in_a_digest_and_run_again_in_its_stack(tmp_path: Path):
    async with office(tmp_path, fail=RED) as desk, desk.as_(AGENT) as agent:
        run = await desk.a_run()
        ended = await agent.ask("wait_for_run", run=run.id)
        assert (ended["verdict"], ended["fault"]) == ("failed", "repository")
        assert "run_digest" in ended["next"]
        digest = await agent.ask("run_digest", run=run.id)
        assert digest["verdict"] == "failed"
        assert digest["digest"].startswith("# failed (TestsFailed)")
        again = await agent.ask("rerun_failed", run=run.id)
        assert again["attempt"] == 2
        assert again["failed_only"] or again["why"]
        await desk.server.until_quiet()
        assert (await agent.ask("wait_for_run", run=run.id))["attempt"] == 2


async def test_a_run_is_cancelled_by_who_asked_for_it_and_by_nobody_else(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent, desk.as_(RIVAL) as rival:
        desk.server.push()
        run = (await agent.ask("start_run", repository=SHOP, ref=TAG))["run"]
        said = await rival.refused("cancel_run", run=run)
        assert "is token:agent's" in said
        assert "What to do: " in said
        assert (await agent.ask("cancel_run", run=run))["begun"]
        await desk.server.until_quiet()
        assert (await agent.ask("wait_for_run", run=run))["verdict"] == "cancelled"
        assert not (await agent.ask("cancel_run", run=run))["begun"]


async def test_a_stack_is_kept_and_removed_by_who_left_it_and_by_nobody_else(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent, desk.as_(RIVAL) as rival:
        desk.server.push()
        run = (await agent.ask("start_run", repository=SHOP, ref=TAG))["run"]
        await desk.server.until_quiet()
        for tool in ("keep_stack", "delete_stack"):
            assert "is token:agent's" in await rival.refused(tool, run=run)
        kept = await agent.ask("keep_stack", run=run, hours=2)
        assert kept["expires_at"]
        assert (await agent.ask("delete_stack", run=run))["things"]
        assert "there is no stack" in await agent.refused("delete_stack", run=run)
        deeds = [deed.what for deed in await desk.server.service.access.deeds()]
        assert deeds[:3] == ["stack.delete", "stack.extend", "run.request"]


async def test_a_run_that_a_tag_began_is_of_who_has_claimed_its_branch(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent, desk.as_(RIVAL) as rival:
        desk.server.issues.add(SHOP, 12, "Prices are wrong")
        claimed = await agent.ask("claim_issue", repository=SHOP, issue=12)
        desk.server.push()
        commit, delivery = desk.server.push("run-integration-tests-12", branch=claimed["branch"])
        await desk.server.handle(delivery)
        run = (await agent.ask("start_run", repository=SHOP, ref=commit))["run"]
        assert (await desk.server.of_commit(commit)).run.principal != "token:agent"
        assert "'s" in await rival.refused("cancel_run", run=run)
        assert (await agent.ask("cancel_run", run=run))["begun"]


async def test_to_an_agent_of_another_repository_a_run_is_not_there(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(STRANGER) as stranger:
        run = await desk.a_run()
        for tool in OF_A_RUN:
            for named in (run.id, run.id[:6]):
                said = await stranger.refused(tool, run=named)
                assert "there is no " in said
                assert "(not-found; " in said
                assert SHOP not in said
        assert "there is no repository" in await stranger.refused("start_run", repository=SHOP, ref=TAG)
        assert "there is no repository" in await stranger.refused("test_history", repository=SHOP)
        assert await missing(desk, f"conductor://runs/{run.id}/report")


async def missing(desk: Office, uri: str) -> bool:
    async with desk.as_(STRANGER) as stranger:
        with pytest.raises(Exception, match="there is no run"):
            await stranger.client.read_resource(uri)
    return True


async def test_who_may_only_read_starts_changes_and_removes_nothing(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(READER) as reader:
        run = await desk.a_run()
        assert (await reader.ask("wait_for_run", run=run.id))["verdict"] == "passed"
        for tool in ("rerun_failed", "cancel_run", "keep_stack", "delete_stack"):
            said = await reader.refused(tool, run=run.id)
            assert "this needs the role run, and token:reader has read" in said
        assert "role run" in await reader.refused("start_run", repository=SHOP, ref=TAG)
        assert len(await desk.server.runs()) == 1


async def test_logs_come_in_parts_that_fit_by_service_time_and_text(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent:
        run = await desk.a_run()
        begin = desk.server.clock.now()
        lines = [
            LogLine(
                workload="backend", at=begin + timedelta(seconds=n), text=f"request {n} " + "é" * (n % 300)
            )
            for n in range(500)
        ]
        await desk.world.evidence.append_log(run.id, run.attempt, [*lines, _long(begin + timedelta(hours=1))])
        seen, offset = 0, 0
        while offset is not None:
            part = await agent.ask("run_logs", run=run.id, service="backend", offset=offset)
            assert part["offset"] == offset
            assert part["lines"]
            seen, offset = seen + len(part["lines"]), part["next"]
        assert seen == part["total"] >= 501
        last = await agent.ask("run_logs", run=run.id, service="backend", tail=3)
        assert last["total"] - last["offset"] == 3
        window = {"since": _at(begin, 9), "until": _at(begin, 12)}
        some = await agent.ask("run_logs", run=run.id, service="backend", **window)
        assert [one.split(": ")[1][:11] for one in some["lines"]] == [
            "request 10 ",
            "request 11 ",
            "request 12 ",
        ]
        found = await agent.ask("run_logs", run=run.id, grep="REQUEST 499")
        assert found["total"] == 1
        said = await agent.refused("run_logs", run=run.id, service="nothing")
        assert "What to do: There are: " in said
        assert "backend" in said


def _at(begin: object, seconds: int) -> str:
    return (begin + timedelta(seconds=seconds)).isoformat()  # type: ignore[operator]


def _long(at: object) -> LogLine:
    return LogLine(workload="backend", at=at, text="\x1b[31m" + "\\\"'é\u202e" * 50_000)  # type: ignore[arg-type]


async def test_tests_are_told_over_runs(tmp_path: Path):
    async with office(tmp_path, fail=RED) as desk, desk.as_(AGENT) as agent:
        run = await desk.a_run()
        listed = await agent.ask("test_history", repository=SHOP)
        assert listed["total"] >= 1
        one = listed["tests"][0]
        assert (one["failed"], one["red_since"]) == (1, run.id)
        row = await agent.ask("test_history", repository=SHOP, test=one["name"])
        assert [run.id in line for line in row["results"]] == [True]
        for by in ("flaky", "slowest"):
            await agent.ask("test_history", repository=SHOP, by=by)
        assert "test_nothing" in await agent.refused("test_history", repository=SHOP, test="test_nothing")


async def test_issues_are_listed_claimed_by_one_and_given_back(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent, desk.as_(RIVAL) as rival:
        for number in range(1, 90):
            desk.server.issues.add(SHOP, number, f"Issue {number} " + "of many words " * 9, labels=["bug"])
        listed = await agent.ask("list_issues", repository=SHOP, labels=["bug"])
        assert listed["total"] == 89
        assert listed["next"] == len(listed["issues"])
        rest = await agent.ask("list_issues", repository=SHOP, offset=listed["next"])
        assert rest["issues"][0]["number"] == listed["issues"][-1]["number"] + 1
        mine = await agent.ask("claim_issue", repository=SHOP, issue=3)
        assert mine["branch"].startswith("3-issue-3")
        said = await rival.refused("claim_issue", repository=SHOP, issue=3)
        assert "token:agent works on" in said
        assert "Take another issue" in said
        assert "token:agent" in await rival.refused("release_issue", repository=SHOP, issue=3)
        seen = (await rival.ask("list_issues", repository=SHOP))["issues"][2]
        assert seen["claimed_by"] == "token:agent"
        assert (await agent.ask("release_issue", repository=SHOP, issue=3))["was_claimed"]
        assert (await rival.ask("claim_issue", repository=SHOP, issue=3))["issue"] == 3


async def test_resources_hold_what_a_tool_only_shows_a_part_of(tmp_path: Path):
    async with office(tmp_path, fail=RED) as desk, desk.as_(ADMIN) as admin:
        run = await desk.a_run()
        for what, expected in (
            ("report", "failed"),
            ("digest", "# failed"),
            ("logs", ""),
            ("logs/redis", ""),
        ):
            answer = await admin.client.read_resource(f"conductor://runs/{run.id}/{what}")
            (content,) = answer.contents
            assert expected in getattr(content, "text", "")
