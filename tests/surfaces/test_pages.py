"""Pages over the application itself: who sees them, what stands on them without JavaScript, that text stays text, what forms do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.domain.report import LogLine
from tests.surfaces.api_stage import SHOP, Api, api

HTML = {"Accept": "text/html"}
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
PAGES = ("/runs", "/stacks", "/environments", "/queue", "/repositories", f"/repositories/{SHOP}", "/server")


async def signed_in(asked: Api, who: str = "runner") -> dict[str, str]:
    """Sign in as a browser does, and return the headers that it sends from then on."""
    answer = await asked.ask("POST", "/sign-in", who=None, data={"token": asked.tokens[who], "next": "/runs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs")
    asked.http.cookies.clear()
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    return {**HTML, "Cookie": cookie.partition(";")[0]}


async def page(asked: Api, path: str, headers: dict[str, str], status: int = 200) -> str:
    answer = await asked.ask("GET", path, who=None, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


def proof_in(text: str) -> str:
    return re.findall(r'name="proof" value="(\w+)"', text)[0]


async def test_a_browser_without_a_session_is_led_to_the_sign_in_and_back(tmp_path: Path):
    async with api(tmp_path) as asked:
        answer = await asked.ask("GET", "/runs/x?attempt=2", who=None, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/sign-in?next=%2Fruns%2Fx%3Fattempt%3D2",
        )
        form = await page(asked, answer.headers["location"], HTML)
        assert 'value="/runs/x?attempt=2"' in form
        wrong = await asked.ask("POST", "/sign-in", who=None, data={"token": "cdr_aaaaaaaa_x"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers


async def test_a_link_of_another_site_comes_again_by_itself_so_that_the_strict_cookie_is_sent(tmp_path: Path):
    async with api(tmp_path) as asked:
        given = {**HTML, "Sec-Fetch-Site": "cross-site"}
        answer = await asked.ask("GET", "/runs/x", who=None, headers=given)
        hop = await page(asked, answer.headers["location"], given)
        assert '<meta http-equiv="refresh" content="0; url=/runs/x">' in hop


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_signing_in_leads_nowhere_but_to_this_server(tmp_path: Path, path: str):
    async with api(tmp_path) as asked:
        answer = await asked.ask(
            "POST", "/sign-in", who=None, data={"token": asked.tokens["reader"], "next": path}
        )
        assert answer.headers["location"] == "/runs"


async def test_another_site_signs_nobody_in(tmp_path: Path):
    async with api(tmp_path) as asked:
        given = {"Sec-Fetch-Site": "cross-site"}
        form = {"token": asked.tokens["reader"]}
        answer = await asked.ask("POST", "/sign-in", who=None, headers=given, data=form)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_a_session_opens_pages_and_not_the_api_and_ends_with_its_token(tmp_path: Path):
    async with api(tmp_path) as asked:
        session = await signed_in(asked, "shop")
        assert "Runs" in await page(asked, "/runs", session)
        for path in ("/api/v1/runs", "/metrics", "/mcp"):
            assert (await asked.ask("GET", path, who=None, headers=session)).status_code == 401
        assert (await asked.ask("DELETE", "/api/v1/tokens/shop")).status_code == 200
        assert (await asked.ask("GET", "/runs", who=None, headers=session)).status_code == 303


async def test_what_another_repository_has_is_not_there(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session = await signed_in(asked, "stranger")
        for path in (
            f"/runs/{run.id}",
            f"/runs/{run.id}/live",
            f"/runs/{run.id}/logs",
            f"/runs/{run.id}/changes",
        ):
            assert "there is no run" in await page(asked, path, session, 404)
        assert run.id not in await page(asked, "/runs", session)
        proof = proof_in(await page(asked, "/runs", session))
        refused = await asked.ask(
            "POST", f"/runs/{run.id}/cancel", who=None, headers=session, data={"proof": proof}
        )
        assert refused.status_code == 404


async def test_a_run_can_be_read_without_javascript(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session = await signed_in(asked)
        assert f'href="/runs/{run.id}"' in await page(asked, f"/runs?repository={SHOP}&state=passed", session)
        assert run.id not in await page(asked, "/runs?state=failed", session)
        text = await page(asked, f"/runs/{run.id}", session)
        for there in (
            "passed",
            "Pipeline",
            "Services",
            "redis",
            "Images",
            "Stack",
            "Extend",
            "Compose file",
            "report.md",
        ):
            assert there in text, there
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]+src=)", text)


async def test_what_repositories_and_logs_say_stays_text(tmp_path: Path):
    async with api(tmp_path, fail="tests:fails") as asked:
        run = await asked.a_run()
        world = asked.server.service.world
        line = LogLine(workload="backend", at=datetime.now(UTC), text=f"\x1b[31m{HOSTILE}\x1b[0m")
        await world.evidence.append_log(run.id, run.attempt, [line])
        await world.evidence.save(run.id, run.attempt, "artifacts/<b>x.html", b"<script>alert(3)</script>")
        session = await signed_in(asked)
        text = await page(asked, f"/runs/{run.id}", session)
        assert "<script>alert" not in text
        assert "<b>x" not in text
        assert '<span class="f31">&lt;script&gt;' in text
        assert HOSTILE not in await page(asked, f"/runs?branch={HOSTILE.replace('<', '%3C')}", session)
        answer = await asked.ask(
            "GET", f"/runs/{run.id}/files/artifacts/%3Cb%3Ex.html", who=None, headers=session
        )
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_form_without_the_visitors_own_proof_changes_nothing(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session, other = await signed_in(asked, "runner"), await signed_in(asked, "shop")
        others = proof_in(await page(asked, f"/runs/{run.id}", other))
        for given in ({}, {"proof": "x"}, {"proof": others}):
            answer = await asked.ask("POST", f"/runs/{run.id}/rerun", who=None, headers=session, data=given)
            assert answer.status_code == 403
        assert (await asked.server.the_run()).run.attempt == 1


async def test_a_run_is_run_again_once_by_a_form_sent_twice(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session = await signed_in(asked)
        form = {
            "proof": proof_in(await page(asked, f"/runs/{run.id}", session)),
            "from": "build",
            "once": "a1",
        }
        for _ in range(2):
            answer = await asked.ask("POST", f"/runs/{run.id}/rerun", who=None, headers=session, data=form)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run.id}")
        await asked.server.until_quiet()
        assert (await asked.server.the_run()).run.attempt == 2
        deeds = await asked.server.service.access.deeds(limit=10)
        assert [one.what for one in deeds if one.principal == "token:runner"] == ["run.again"]


async def test_who_may_only_read_sees_no_buttons_and_is_refused(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session = await signed_in(asked, "reader")
        text = await page(asked, f"/runs/{run.id}", session)
        assert "Run again" not in text
        form = {"proof": proof_in(text), "from": "build", "once": "1"}
        refused = await asked.ask("POST", f"/runs/{run.id}/rerun", who=None, headers=session, data=form)
        assert refused.status_code == 403


async def test_log_streams_go_on_after_what_came_last(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        start = datetime.now(UTC)
        lines = [
            LogLine(workload="backend", at=start + timedelta(seconds=n), text=f"line {n}") for n in range(900)
        ]
        await asked.server.service.world.evidence.append_log(run.id, run.attempt, lines)
        session = await signed_in(asked)
        whole = await page(asked, f"/runs/{run.id}/logs/stream", session)
        places = re.findall(r"^id: (.*)$", whole, re.MULTILINE)
        assert whole.count('"line ') == 900
        rest = await asked.ask(
            "GET", f"/runs/{run.id}/logs/stream", who=None, headers=session, params={"after": places[0]}
        )
        assert told(whole)[1:] == told(rest.text)


def told(stream: str) -> list[str]:
    """Read the events of a stream; comments between them only say that the server is still there."""
    return [event for event in stream.split("\n\n") if event and not event.startswith(":")]


async def test_every_page_shows_what_is_the_visitors_and_hides_what_is_not(tmp_path: Path):
    async with api(tmp_path, fail="tests:fails") as asked:
        run, environment = await asked.a_run(), await asked.an_environment()
        admin, stranger = await signed_in(asked, "admin"), await signed_in(asked, "stranger")
        shown = {path: await page(asked, path, admin) for path in (*PAGES, f"/environments/{environment}")}
        for path in ("/runs", "/stacks", "/repositories", f"/repositories/{SHOP}"):
            assert SHOP in shown[path], path
        assert environment in shown["/environments"]
        assert "Latest runs" in shown[f"/repositories/{SHOP}"]
        assert "Who did what" in shown["/server"]
        for path in PAGES:
            text = await page(asked, path, stranger, 404 if path.endswith(SHOP) else 200)
            assert run.id not in text
            assert environment not in text
            assert "Who did what" not in text
        await page(asked, f"/environments/{environment}", stranger, 404)


async def test_a_kept_stack_is_extended_put_to_sleep_and_deleted_by_forms(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        session = await signed_in(asked)
        proof = proof_in(await page(asked, "/stacks", session))

        async def press(what: str, status: int = 303, **form: str) -> None:
            answer = await asked.ask(
                "POST",
                f"/stacks/{run.namespace}/{what}",
                who=None,
                headers=session,
                data={"proof": proof, **form},
            )
            assert answer.status_code == status, answer.text

        before = (await asked.get(f"/stacks/{run.id}"))["lease"]["expires_at"]
        await press("extend", hours="4")
        assert (await asked.get(f"/stacks/{run.id}"))["lease"]["expires_at"] > before
        await press("extend", 400, hours="-1")
        await press("sleep")
        assert "Wake" in await page(asked, f"/runs/{run.id}", session)
        await press("delete")
        assert (await asked.get("/stacks"))["items"] == []


async def test_an_environment_is_changed_only_by_who_made_it(tmp_path: Path):
    async with api(tmp_path) as asked:
        environment = await asked.an_environment()
        own, other = await signed_in(asked, "runner"), await signed_in(asked, "shop")
        path = f"/environments/{environment}"
        assert "Release" in await page(asked, path, own)
        text = await page(asked, path, other)
        assert "Release" not in text
        form = {"proof": proof_in(text), "hours": "1"}
        refused = await asked.ask("POST", f"{path}/extend", who=None, headers=other, data=form)
        assert refused.status_code == 403
        form = {"proof": proof_in(await page(asked, path, own))}
        assert (
            await asked.ask("POST", f"{path}/delete", who=None, headers=own, data=form)
        ).status_code == 303
        assert "released" in await page(asked, path, own)
