"""The tools about runs, over a whole server with the fake engine: what they answer, to whom, and how they refuse."""

from __future__ import annotations

from pathlib import Path

from conductor.domain.run import Status
from tests.mcp.agents import AGENT, STRANGER, office
from tests.scenarios.service_stage import SHOP, TAG


async def test_a_commit_is_run_once_and_waited_for_to_its_verdict(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(AGENT) as agent:
        commit, _ = desk.server.push()
        begun = await agent.ask("start_run", repository=SHOP, ref=TAG)
        assert (begun["is_new"], begun["commit"], begun["attempt"]) == (True, commit, 1)
        looked = await agent.ask("wait_for_run", run=begun["run"], timeout_seconds=0)
        assert (looked["status"], looked["verdict"]) == (Status.QUEUED, None)
        assert "wait_for_run" in looked["next"]
        await desk.server.until_quiet()
        ended = await agent.ask("wait_for_run", run=begun["run"])
        assert (ended["status"], ended["verdict"]) == (Status.ENDED, "passed")
        assert ended["happened"][-1].endswith("verdict: passed")
        once_more = await agent.ask("start_run", repository=SHOP, ref=commit)
        assert (once_more["run"], once_more["is_new"], once_more["attempt"]) == (begun["run"], False, 1)
        anew = await agent.ask("start_run", repository=SHOP, ref=commit, again=True)
        assert (anew["run"], anew["is_new"], anew["attempt"]) == (begun["run"], True, 2)


async def test_to_an_agent_of_another_repository_a_run_is_not_there(tmp_path: Path):
    async with office(tmp_path) as desk, desk.as_(STRANGER) as stranger:
        run = await desk.a_run()
        for tool in (
            "wait_for_run",
            "run_digest",
            "run_logs",
            "rerun_failed",
            "cancel_run",
            "keep_stack",
            "delete_stack",
        ):
            said = await stranger.refused(tool, run=run.id)
            assert "there is no" in said
            assert "not-found" in said
            assert SHOP not in said
        assert "there is no repository" in await stranger.refused("start_run", repository=SHOP, ref=TAG)
