"""Who is let in: every route there is, without a token, with a wrong one, with one of another repository, with too small a role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from conductor.domain.access import Role
from conductor.operations import access
from conductor.settings import Settings
from tests.surfaces.api_stage import API, SHOP, api

WITHOUT_TOKEN = {
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/webhooks/{hosting}",
    "/sign-in",
    "/static/{asset}",
}


def routes(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Walk over what the application itself says that it answers."""
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods or ()):
            yield method, str(route.path), str(route.name)


def filled(path: str, run: str, environment: str) -> str:
    given = {
        "environment": environment,
        "run": run,
        "stack": run,
        "name:path": "report.json",
        "token": "admin",
        "delivery": "delivery-000001",
        "number": "1",
    }
    if path.startswith(f"{API}/repositories"):
        given["name:path"] = SHOP
    return re.sub(r"\{([^}]+)\}", lambda name: given[name[1]], path)


async def test_nothing_but_health_description_and_deliveries_answers_without_a_token_that_opens(
    tmp_path: Path,
):
    async with api(tmp_path) as asked:
        run, environment = await asked.a_run(), await asked.an_environment()
        walked = list(routes(asked.app))
        assert len(walked) > 40
        for method, path, _ in walked:
            if path in WITHOUT_TOKEN:
                continue
            for given in ({}, {"Authorization": "Bearer cdr_aaaaaaaa_x"}, {"Authorization": "Basic YTpi"}):
                answer = await asked.ask(method, filled(path, run.id, environment), who=None, headers=given)
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert run.id not in answer.text
                assert environment not in answer.text


async def test_a_token_of_another_repository_is_told_nothing_of_a_run_or_stack_by_any_route(tmp_path: Path):
    async with api(tmp_path) as asked:
        run, environment = await asked.a_run(), await asked.an_environment()
        for who in ("stranger", "strange-admin"):
            for method, path, name in routes(asked.app):
                if path in WITHOUT_TOKEN or method == "HEAD":
                    continue
                body = {"repository": SHOP, "ref": "v1"} if path == f"{API}/runs" else {"by_seconds": 60}
                answer = await asked.ask(
                    method,
                    filled(path, run.id, environment),
                    who=who,
                    json=body if method == "POST" else None,
                )
                about_it = "{" in path and "token" not in path
                if about_it:
                    assert answer.status_code in (403, 404, 422), (method, path, answer.status_code)
                for hidden in (run.id, environment):
                    assert hidden not in answer.text.replace(f"'{hidden}'", ""), (method, path, name)
                assert not answer.is_success or SHOP not in answer.text, (method, path)


async def test_lists_show_a_bound_token_its_own_repositories_alone(tmp_path: Path):
    async with api(tmp_path) as asked:
        run = await asked.a_run()
        assert [one["run"]["id"] for one in (await asked.get("/runs", who="shop"))["items"]] == [run.id]
        assert (await asked.get("/runs", who="stranger"))["items"] == []
        assert (await asked.get(f"/runs?repository={SHOP}", who="stranger"))["items"] == []
        assert (await asked.get("/repositories", who="stranger"))["items"] == []
        assert (await asked.get("/stacks", who="stranger"))["items"] == []


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("reader", "POST", "/runs"),
        ("reader", "POST", "/runs/x/cancel"),
        ("reader", "DELETE", "/stacks/x"),
        ("runner", "GET", "/tokens"),
        ("runner", "POST", "/queue/drain"),
        ("runner", "GET", "/audit"),
        ("strange-admin", "GET", "/tokens"),
        ("strange-admin", "POST", "/queue/drain"),
        ("strange-admin", "GET", "/settings"),
    ],
)
async def test_too_small_a_role_or_reach_is_forbidden(tmp_path: Path, who: str, method: str, path: str):
    async with api(tmp_path) as asked:
        body = {"repository": SHOP, "ref": "v1"} if path == "/runs" else None
        answer = await asked.ask(method, API + path, who=who, json=body)
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


async def test_a_token_is_worth_nothing_once_it_is_revoked_or_over(tmp_path: Path):
    async with api(tmp_path) as asked:
        made = (
            await asked.post("/tokens", {"name": "agent", "role": "run", "expires_in_seconds": 60})
        ).json()
        bearer = {"Authorization": f"Bearer {made['text']}"}
        assert (await asked.get("/whoami", who=None, headers=bearer))["principal"] == "token:agent"
        asked.server.clock.advance(timedelta(minutes=2))
        assert (await asked.ask("GET", f"{API}/whoami", who=None, headers=bearer)).status_code == 401
        assert (await asked.ask("DELETE", f"{API}/tokens/shop")).status_code == 200
        assert (await asked.ask("GET", f"{API}/whoami", who="shop")).status_code == 401


async def test_the_secret_of_a_token_is_kept_nowhere(tmp_path: Path):
    async with api(tmp_path) as asked:
        made = (await asked.post("/tokens", {"name": "agent"})).json()
        secret = made["text"].split("_", 2)[2]
        assert made["text"].startswith(f"cdr_{made['token']['id']}_")
        for path in ("/tokens", "/audit"):
            assert secret not in str(await asked.get(path))
        kept = await asyncio.to_thread(
            lambda: [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        )
        assert not any(secret.encode() in content for content in kept)


async def test_the_last_use_of_a_token_is_recorded_to_the_minute(tmp_path: Path):
    async with api(tmp_path) as asked:
        await asked.get("/whoami", who="reader")
        now = asked.server.clock.now()
        used = {one.name: one.last_used_at for one in await asked.server.service.access.tokens()}
        assert used["reader"] == now.replace(second=0, microsecond=0)
        assert used["runner"] is None


async def test_two_tokens_of_a_name_are_not_valid_at_a_time(tmp_path: Path):
    async with api(tmp_path) as asked:
        assert (await asked.post("/tokens", {"name": "shop"})).status_code == 409
        await asked.ask("DELETE", f"{API}/tokens/shop")
        assert (await asked.post("/tokens", {"name": "shop"})).status_code == 201


async def test_a_secret_that_is_almost_right_opens_nothing(tmp_path: Path):
    async with api(tmp_path) as asked:
        found = asked.server.service.access
        now = asked.server.clock.now()
        text = asked.tokens["admin"]
        assert (await access.verify(found, text, now=now)).role is Role.ADMIN
        wrong = [
            text[:-1],
            text + "x",
            text.upper(),
            "",
            "cdr__",
            f"x{text}",
            text.replace("cdr_", "cdr-"),
            "cdr_é_é",
        ]
        assert [await access.verify(found, one, now=now) for one in wrong] == [None] * len(wrong)


async def test_metrics_want_a_token_unless_they_are_open(tmp_path: Path):
    async with api(tmp_path) as asked:
        assert (await asked.ask("GET", "/metrics", who=None)).status_code == 401
        assert (await asked.ask("GET", "/metrics", who="reader")).status_code == 200
        bound = await asked.ask("GET", "/metrics", who="strange-admin")
        assert bound.status_code == 403, "they tell of every repository's runs"
    async with api(tmp_path / "open", settings=Settings(state=tmp_path, metrics_open=True)) as asked:
        answer = await asked.ask("GET", "/metrics", who=None)
        assert answer.status_code == 200
        assert "conductor_queue_entries" in answer.text


async def test_settings_are_told_without_the_values_of_secrets(tmp_path: Path):
    settings = Settings(
        state=tmp_path, git_token="hunter2hunter2", database_url="postgresql://me:hunter2@db/x"
    )
    async with api(tmp_path, settings=settings) as asked:
        told = await asked.get("/settings")
        assert "hunter2" not in str(told)
        (token,) = [one for one in told["items"] if one["name"] == "CONDUCTOR_GIT_TOKEN"]
        assert (token["value"], token["is_set"], token["is_secret"]) == (None, True, True)


async def test_every_answer_says_that_it_is_not_to_be_stored_guessed_or_run(tmp_path: Path):
    async with api(tmp_path) as asked:
        for path in ("/healthz", "/nothing", f"{API}/runs"):
            headers = (await asked.ask("GET", path)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"].startswith("default-src 'none'")
