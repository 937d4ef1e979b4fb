"""Runs by the API: asked for, listed, looked at, stopped, run again; what they leave; what stands; the queue; deliveries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from conductor.domain.event import Event, Kind
from conductor.domain.queue import Limits
from conductor.domain.report import LogLine
from conductor.domain.verdict import Verdict
from conductor.ports.store import RunRow
from tests.surfaces.api_stage import API, SHOP, TAG, Api, api


async def push(asked: Api, tag: str = TAG) -> str:
    commit = asked.server.shop.commit()
    asked.server.shop.tags[tag] = commit
    return commit


async def test_a_run_is_asked_for_by_tag_runs_and_is_shown(tmp_path: Path):
    async with api(tmp_path) as asked:
        commit = await push(asked)
        answer = await asked.post(
            "/runs", {"repository": SHOP, "ref": TAG, "environment": "dev"}, who="runner"
        )
        assert answer.status_code == 202
        made = answer.json()
        assert answer.headers["location"] == made["href"] == f"{API}/runs/{made['run']}"
        assert [one["run"] for one in (await asked.get("/queue"))["waiting"]] == [made["run"]]
        await asked.server.until_quiet()
        shown = await asked.get(f"/runs/{made['run']}")
        row = TypeAdapter(RunRow).validate_python(shown["row"])
        assert row.run.source.commit == commit
        assert (row.run.environment, row.run.principal, row.outcome.verdict) == (
            "dev",
            "token:runner",
            Verdict.PASSED,
        )
        assert {step["name"] for step in shown["steps"]} >= {"clone", "plan"} or shown["steps"]
        (deed,) = (await asked.get("/audit"))["items"]
        assert (deed["principal"], deed["what"], deed["subject"]) == (
            "token:runner",
            "run.request",
            made["run"],
        )


async def test_a_key_makes_a_request_once(tmp_path: Path):
    async with api(tmp_path) as asked:
        await push(asked)
        key = {"Idempotency-Key": "once"}
        body = {"repository": SHOP, "ref": TAG}
        first = await asked.post("/runs", body, headers=key)
        await asked.server.until_quiet()
        again = await asked.post("/runs", body, headers=key)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()
        assert len((await asked.get("/runs"))["items"]) == 1
        other = await asked.post("/runs", {**body, "environment": "dev"}, headers=key)
        assert other.status_code == 409
        without = await asked.post("/runs", body)
        assert (without.json()["run"], without.json()["attempt"]) == (first.json()["run"], 2)


async def test_what_was_refused_may_be_asked_for_again_under_its_key(tmp_path: Path):
    async with api(tmp_path) as asked:
        key = {"Idempotency-Key": "k"}
        body = {"repository": SHOP, "ref": TAG}
        assert (await asked.post("/runs", body, headers=key)).status_code == 404
        await push(asked)
        assert (await asked.post("/runs", body, headers=key)).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"repository": "evil/shop", "ref": "v1"}, 403),
        ({"repository": SHOP, "ref": "no-such-tag"}, 404),
        ({"repository": SHOP, "ref": "v1", "location": "https://evil.test/acme/shop"}, 403),
        ({"repository": SHOP}, 422),
        ({"repository": SHOP, "ref": "v1", "unknown": 1}, 422),
        ({"repository": SHOP, "ref": "a\u0000b"}, 422),
    ],
)
async def test_what_cannot_be_run_is_refused_with_a_problem(
    tmp_path: Path, body: dict[str, object], status: int
):
    async with api(tmp_path) as asked:
        answer = await asked.post("/runs", body, who="runner")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "remedy"} <= answer.json().keys()
        assert (await asked.get("/runs"))["items"] == []


async def test_lists_go_page_by_page_and_show_every_run_once(tmp_path: Path):
    async with api(tmp_path) as asked:
        for number in range(5):
            await push(asked, f"{TAG}-{number}")
            await asked.post("/runs", {"repository": SHOP, "ref": f"{TAG}-{number}"})
        seen, path = [], "/runs?limit=2"
        while path:
            page = await asked.get(path)
            seen += [one["run"]["id"] for one in page["items"]]
            path = page["next"] and f"/runs?limit=2&cursor={page['next']}"
        assert len(seen) == len(set(seen)) == 5
        assert (await asked.get("/runs?verdict=failed"))["items"] == []
        assert len((await asked.get("/runs?branch=main"))["items"]) == 5
        for cursor in ("x", "bm9uc2Vuc2U", "W10"):
            assert (await asked.ask("GET", f"{API}/runs?cursor={cursor}")).status_code == 400


async def test_a_waiting_run_is_cancelled_and_ends_as_cancelled(tmp_path: Path):
    async with api(tmp_path, limits=Limits(draining=True)) as asked:
        await push(asked)
        run = (await asked.post("/runs", {"repository": SHOP, "ref": TAG})).json()["run"]
        answer = await asked.post(f"/runs/{run}/cancel", who="runner")
        assert (answer.status_code, answer.json()["begun"]) == (202, True)
        await asked.server.until_quiet()
        assert (await asked.get(f"/runs/{run}"))["row"]["outcome"]["verdict"] == "cancelled"
        assert (await asked.post(f"/runs/{run}/cancel")).json()["begun"] is False


async def test_a_run_that_has_ended_is_run_again_whole_or_its_tests_alone(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        tests = await asked.post(f"/runs/{run.id}/rerun", {"from_stage": "tests"})
        assert (tests.status_code, tests.json()["attempt"]) == (202, 2)
        assert (await asked.post(f"/runs/{run.id}/retry")).status_code == 409
        await asked.server.until_quiet()
        whole = await asked.post(f"/runs/{run.id}/retry")
        assert (whole.status_code, whole.json()["attempt"]) == (202, 3)
        await asked.server.until_quiet()
        shown = await asked.get(f"/runs/{run.id}")
        assert (shown["attempts"], shown["row"]["outcome"]["verdict"]) == (3, "passed")
        assert (await asked.get(f"/runs/{run.id}?attempt=1"))["row"]["run"]["attempt"] == 1


async def test_what_a_run_leaves_is_read_in_each_form(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        events = TypeAdapter(list[Event]).validate_python(
            (await asked.get(f"/runs/{run.id}/events?limit=200"))["items"]
        )
        assert Kind.RUN_ENDED in {event.kind for event in events}
        text = await asked.ask("GET", f"{API}/runs/{run.id}/logs")
        lines = await asked.ask("GET", f"{API}/runs/{run.id}/logs?format=json")
        read = [TypeAdapter(LogLine).validate_json(line) for line in lines.text.splitlines()]
        assert text.text.splitlines() == [f"{line.workload}: {line.text}" for line in read]
        assert read
        assert {line.workload for line in read} <= set(await asked.get(f"/runs/{run.id}/workloads"))
        assert (await asked.get(f"/runs/{run.id}/report"))["verdict"] == "passed"
        markdown = await asked.ask("GET", f"{API}/runs/{run.id}/report?format=markdown")
        assert markdown.headers["content-type"].startswith("text/markdown")
        digest = await asked.ask("GET", f"{API}/runs/{run.id}/digest")
        assert 0 < len(digest.content) <= 8192
        assert (await asked.get(f"/runs/{run.id}/digest?format=json"))["verdict"] == "passed"
        assert (await asked.get(f"/runs/{run.id}/tests"))["items"]


async def test_a_branch_is_run_that_the_forge_knows_before_anything_of_the_repository_ran(tmp_path: Path):
    async with api(tmp_path) as asked:
        answer = await asked.post("/runs", {"repository": SHOP, "ref": "main"})
        missing = await asked.post("/runs", {"repository": SHOP, "ref": "nowhere"})
        ran = await asked.server.the_run()
    assert answer.status_code == 202
    assert (ran.run.id, ran.run.source.branch) == (answer.json()["run"], "main")
    assert missing.status_code == 404
    assert "no tag, branch or commit" in missing.text


async def test_what_retention_removed_is_said_to_be_removed_and_when(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        evidence = asked.server.service.world.evidence
        await evidence.save(run.id, 1, "artifacts/tests/page.html", b"a page")
        await evidence.shed(run.id, 1, at=datetime(2026, 3, 4, tzinfo=UTC))
        for path in ("artifacts/artifacts/tests/page.html", "logs"):
            answer = await asked.ask("GET", f"{API}/runs/{run.id}/{path}")
            assert answer.status_code == 404
            assert "removed by retention on 2026-03-04" in answer.text
        assert (await asked.ask("GET", f"{API}/runs/{run.id}/report")).status_code == 200


async def test_artifacts_are_downloaded_as_bytes_and_no_name_leads_out(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        evidence = asked.server.service.world.evidence
        await evidence.save(run.id, 1, "artifacts/tests/page.html", b"<script>alert(1)</script>")
        (tmp_path / "secret").write_text("hidden")
        (evidence.folder(run.id, 1) / "artifacts" / "link").symlink_to(tmp_path / "secret")
        names = [one["name"] for one in (await asked.get(f"/runs/{run.id}/artifacts"))["items"]]
        assert "artifacts/tests/page.html" in names
        assert "blueprint.json" not in names
        page = await asked.ask("GET", f"{API}/runs/{run.id}/artifacts/artifacts/tests/page.html")
        assert page.headers["content-type"] == "application/octet-stream"
        assert page.headers["content-disposition"].startswith("attachment")
        outside = (
            "../../../secret",
            "%2e%2e/%2e%2e/secret",
            "/etc/passwd",
            "artifacts/link",
            "blueprint.json",
            "..%2fx",
        )
        for name in outside:
            answer = await asked.ask("GET", f"{API}/runs/{run.id}/artifacts/{name}")
            assert answer.status_code == 404, name
            assert "hidden" not in answer.text


async def test_a_kept_stack_is_extended_pinned_released_put_to_sleep_woken_and_deleted(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        (stack,) = (await asked.get("/stacks", who="shop"))["items"]
        assert stack["run"] == run.id
        assert stack["services"]
        path = f"/stacks/{run.id}"
        later = (await asked.post(f"{path}/extend", {"by_seconds": 3600}, who="shop")).json()
        assert later["expires_at"] > stack["lease"]["expires_at"]
        assert (await asked.post(f"{path}/pin", who="shop")).json()["expires_at"] is None
        assert (await asked.post(f"{path}/extend", {"by_seconds": 60})).status_code == 409
        assert (await asked.post(f"{path}/release", {})).json()["expires_at"]
        assert (await asked.post(f"{path}/sleep", who="shop")).json()["status"] == "sleeping"
        assert (await asked.post(f"{path}/wake", who="shop")).json()["status"] == "kept"
        gone = await asked.ask("DELETE", API + path, who="shop")
        assert gone.json()["things"] > 0
        assert (await asked.ask("GET", API + path)).status_code == 404
        done = [deed["what"] for deed in (await asked.get("/audit"))["items"]]
        assert done[::-1] == [
            f"stack.{what}" for what in ("extend", "pin", "release", "sleep", "wake", "delete")
        ]


async def test_a_drained_queue_admits_nobody_and_says_so(tmp_path: Path):
    async with api(tmp_path) as asked:
        assert (await asked.post("/queue/drain")).json()["draining"] is True
        await push(asked)
        run = (await asked.post("/runs", {"repository": SHOP, "ref": TAG})).json()["run"]
        await asked.server.dispatch()
        seen = await asked.get("/queue")
        assert [(one["run"], one["position"]) for one in seen["waiting"]] == [(run, 1)]
        assert seen["waiting"][0]["reason"]
        hidden = await asked.get("/queue", who="stranger")
        assert (hidden["waiting"], hidden["active"], hidden["others"]) == ([], [], 1)
        await asked.post("/queue/undrain")
        await asked.server.until_quiet()
        assert (await asked.get(f"/runs/{run}"))["row"]["status"] == "ended"


async def test_a_delivery_is_taken_once_if_it_is_signed(tmp_path: Path):
    async with api(tmp_path) as asked:
        _, delivery = asked.server.push()
        headers = {
            "X-GitHub-Delivery": delivery.id,
            "X-GitHub-Event": delivery.event,
            "X-Hub-Signature-256": asked.server.forge.sign(delivery.body),
        }

        async def deliver(body: bytes = delivery.body, where: str = "fake", **changed: str) -> int:
            given = {**headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
            answer = await asked.ask("POST", f"/webhooks/{where}", who=None, headers=given, content=body)
            return answer.status_code

        assert await deliver(X_Hub_Signature_256="sha256=00") == 401
        assert await deliver(delivery.body + b" ") == 401
        assert await deliver(where="nowhere") == 404
        assert await deliver(X_GitHub_Delivery="") == 400
        assert (await asked.get("/deliveries"))["items"] == []
        assert await deliver() == 202
        assert await deliver() == 200
        await asked.server.until_quiet()
        (seen,) = (await asked.get("/deliveries"))["items"]
        row = await asked.server.the_run()
        assert (seen["id"], seen["status"], seen["run"]) == (delivery.id, "started", row.run.id)
        assert (await asked.get(f"/deliveries/{delivery.id}"))["event"] == "push"


async def test_a_body_that_is_too_large_is_refused_also_where_its_length_is_not_announced(tmp_path: Path):
    async with api(tmp_path) as asked:

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 1_000_000

        for content in (b"x" * 25_000_001, endless()):
            answer = await asked.ask("POST", "/webhooks/fake", who=None, content=content)
            assert answer.status_code == 413
        small = await asked.ask("POST", f"{API}/runs", content=b'"' + b"x" * 1_000_001 + b'"')
        assert small.status_code == 413


async def test_whatever_is_asked_wrongly_is_answered_with_a_problem(tmp_path: Path):
    async with api(tmp_path) as asked:
        wrong = [
            ("GET", "/nowhere", 404),
            ("PUT", f"{API}/runs", 405),
            ("GET", f"{API}/runs?limit=0", 422),
            ("GET", f"{API}/runs/none", 404),
            ("GET", f"{API}/runs?since=2026-01-01T00:00:00", 400),
        ]
        for method, path, status in wrong:
            answer = await asked.ask(method, path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["remedy"]


async def test_a_server_that_is_well_says_so(tmp_path: Path):
    async with api(tmp_path) as asked:
        assert (await asked.ask("GET", "/healthz", who=None)).json() == {"ok": True, "why": ""}
        assert (await asked.ask("GET", "/readyz", who=None)).status_code == 200
        asked.app.state.site.state.is_stopping = True
        stopping = await asked.ask("GET", "/readyz", who=None)
        assert stopping.status_code == 503
        assert json.loads(stopping.text)["why"]
