"""Issues and claims over the API: who may take what, and who is told what of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from conductor.errors import UnreachableError
from tests.surfaces.api_stage import API, OTHER, SHOP, api

CART = {"repository": SHOP, "issue": 12}


async def test_an_issue_is_found_claimed_and_shown_to_have_been(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty", labels=("bug",))
        asked.server.issues.add(SHOP, 13, "Colours")
        found = await asked.get(f"/issues?repository={SHOP}&label=bug", who="reader")
        assert [(one["issue"]["number"], one["claim"]) for one in found["items"]] == [(12, None)]
        made = await asked.post("/claims", CART, who="shop")
        assert made.status_code == 201
        claim = made.json()
        assert (claim["principal"], claim["branch"]) == ("token:shop", "12-the-cart-is-empty")
        assert asked.server.issues.shown[SHOP, 12].principal == "token:shop"
        shown = await asked.get(f"/issues/12?repository={SHOP}", who="reader")
        assert shown["claim"] == claim | {"marks": {"comment": "comment-12"}}
        assert len((await asked.get("/claims", who="reader"))["items"]) == 1
        assert (await asked.get("/claims?mine=true", who="reader"))["items"] == []
        deeds = [one["what"] for one in (await asked.get("/audit"))["items"]]
        assert "issue.claim" in deeds


async def test_of_two_that_claim_at_once_one_gets_it_and_the_other_is_told_who(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        answers = await asyncio.gather(
            *(asked.post("/claims", CART, who=who) for who in ("shop", "runner", "shop", "runner"))
        )
        won = {one.json()["principal"] for one in answers if one.status_code == 201}
        lost = [one.json() for one in answers if one.status_code == 409]
        assert (len(won), len(lost)) == (1, 2)
        assert all(f"{next(iter(won))} works on {SHOP}#12 until" in one["detail"] for one in lost)
        assert all(one["remedy"] for one in lost)


async def test_only_its_own_is_released_by_an_agent_and_anybodys_by_an_administrator(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        path = f"{API}/claims?repository={SHOP}&issue=12"
        await asked.post("/claims", CART, who="shop")
        assert (await asked.ask("DELETE", path, who="reader")).status_code == 403
        assert (await asked.ask("DELETE", path, who="runner")).status_code == 409
        assert (await asked.ask("DELETE", path, who="admin")).status_code == 409
        assert (await asked.ask("DELETE", f"{path}&force=true", who="runner")).status_code == 403
        assert (await asked.ask("DELETE", f"{path}&force=true", who="admin")).status_code == 204
        assert (await asked.ask("DELETE", path, who="runner")).status_code == 204, "it is free"
        assert asked.server.issues.shown == {}
        assert (await asked.post("/claims", CART, who="runner")).status_code == 201


async def test_a_claim_is_renewed_by_who_has_it_and_lost_when_it_is_over(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        assert (await asked.post("/claims/renew", CART, who="shop")).status_code == 404
        first = (await asked.post("/claims", {**CART, "keep_for_seconds": 3600}, who="shop")).json()
        asked.server.clock.advance(timedelta(minutes=30))
        renewed = (await asked.post("/claims/renew", {**CART, "keep_for_seconds": 3600}, who="shop")).json()
        assert renewed["expires_at"] > first["expires_at"]
        assert (await asked.post("/claims/renew", CART, who="runner")).status_code == 409
        asked.server.clock.advance(timedelta(hours=2))
        assert (await asked.get("/claims", who="shop"))["items"] == []
        assert (await asked.post("/claims", CART, who="runner")).status_code == 201
        assert (await asked.post("/claims/renew", CART, who="shop")).status_code == 409


async def test_another_repositorys_issues_are_not_there(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        await asked.post("/claims", CART, who="shop")
        for method, path, body in (
            ("GET", f"/issues?repository={SHOP}", None),
            ("GET", f"/issues/12?repository={SHOP}", None),
            ("POST", "/claims", CART),
            ("POST", "/claims/renew", CART),
            ("DELETE", f"/claims?repository={SHOP}&issue=12", None),
            ("POST", "/issues", {"repository": SHOP, "title": "x"}),
        ):
            answer = await asked.ask(method, API + path, who="stranger", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
        assert (await asked.get("/claims", who="stranger"))["items"] == []


async def test_what_is_not_allowed_closed_or_opened_elsewhere_is_refused(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        asked.server.issues.close(SHOP, 12)
        assert (await asked.post("/claims", CART, who="runner")).status_code == 400
        far = await asked.ask("GET", f"{API}/issues?repository=evil/shop", who="runner")
        assert (far.status_code, far.json()["code"]) == (403, "refused")
        new = await asked.post("/issues", {"repository": SHOP, "title": "x"}, who="runner")
        assert (new.status_code, "opened and closed on fake" in new.json()["detail"]) == (403, True)
        assert (await asked.ask("GET", f"{API}/issues?repository={OTHER}", who="runner")).status_code == 404


async def test_a_forge_that_is_away_takes_no_claim_from_anybody(tmp_path: Path):
    """The database decides; the forge shows it once it can be reached."""
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        asked.server.issues.befall("find_issue", UnreachableError("away"))
        assert (await asked.post("/claims", CART, who="shop")).status_code == 503
        asked.server.issues.befall("show_claim", UnreachableError("away"))
        assert (await asked.post("/claims", CART, who="shop")).status_code == 201
        assert (await asked.post("/claims", CART, who="runner")).status_code == 409
