"""Development environments over the API: who may ask for one, work in it, and end it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.surfaces.api_stage import API, SHOP, api

ASKED = {"repository": SHOP, "issue": 12}


async def test_an_environment_is_asked_for_worked_in_pushed_from_and_released(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        made = await asked.post("/environments", ASKED, who="shop")
        assert made.status_code == 201
        row = made.json()["environment"]
        assert (row["branch"], row["principal"]) == ("12-the-cart-is-empty", "token:shop")
        at = made.headers["location"].removeprefix(API)
        again = await asked.post("/environments", ASKED, who="shop")
        assert again.json()["environment"]["id"] == row["id"]
        shown = await asked.get(f"{at}?wait=60", who="reader")
        assert shown["row"]["state"]["status"] == "ready"
        assert [step["name"] for step in shown["steps"]]
        printed = await asked.post(f"{at}/exec", {"command": ["echo", "hello"]}, who="shop")
        assert (printed.status_code, printed.json()["exit_code"]) == (200, 0)
        assert (await asked.get(f"{at}/logs?tail=10", who="reader"))["items"] == []
        file = f"{API}{at}/files?path=docs/notes.md"
        assert (await asked.ask("PUT", file, who="shop", content=b"Caf\xc3\xa9\n")).status_code == 204
        read = await asked.ask("GET", file, who="shop")
        assert (read.content, read.headers["content-type"]) == (b"Caf\xc3\xa9\n", "application/octet-stream")
        extended = await asked.post(f"{at}/extend", {"by_seconds": 3600}, who="shop")
        assert extended.json()["expires_at"] > shown["lease"]["expires_at"]
        assert (await asked.post(f"{at}/sleep", who="shop")).json()["status"] == "sleeping"
        assert (await asked.post(f"{at}/wake", who="shop")).json()["status"] == "kept"
        gone = await asked.ask("DELETE", API + at, who="shop")
        assert gone.json()["row"]["state"]["status"] == "released"
        assert (await asked.get("/environments"))["items"] == []
        assert len((await asked.get("/environments?ended=true"))["items"]) == 1


async def test_an_agent_works_in_its_own_environments_and_ends_no_others(tmp_path: Path):
    async with api(tmp_path) as asked:
        name = await asked.an_environment()
        at = f"/environments/{name}"
        for path, body in (
            ("/exec", {"command": ["true"]}),
            ("/push", {"test": True}),
            ("/extend", {"by_seconds": 60}),
            ("/sleep", None),
            ("/wake", None),
        ):
            assert (await asked.post(at + path, body, who="shop")).status_code == 403, path
        for verb in ("GET", "PUT"):
            refused = await asked.ask(verb, f"{API}{at}/files?path=a", who="shop")
            assert refused.status_code == 403, verb
        assert (await asked.ask("DELETE", API + at, who="shop")).status_code == 403
        assert (await asked.ask("DELETE", API + at, who="reader")).status_code == 403
        assert (await asked.ask("DELETE", API + at, who="stranger")).status_code == 404
        assert (await asked.ask("DELETE", API + at, who="admin")).status_code == 200


async def test_an_issue_that_another_has_claimed_gets_nobody_else_an_environment(tmp_path: Path):
    async with api(tmp_path) as asked:
        asked.server.issues.add(SHOP, 12, "The cart is empty")
        await asked.post("/claims", ASKED, who="runner")
        refused = await asked.post("/environments", ASKED, who="shop")
        assert refused.status_code == 409
        assert "token:runner" in refused.json()["detail"]
        made = await asked.post("/environments", ASKED, who="runner")
        assert made.status_code == 201
        (claim,) = (await asked.get("/claims"))["items"]
        assert claim["environment"] == made.json()["environment"]["id"]
        at = made.headers["location"].removeprefix(API)
        await asked.get(f"{at}?wait=60", who="runner")
        asked.server.clock.advance(timedelta(hours=1))
        assert (await asked.post(f"{at}/extend", {"by_seconds": 60}, who="runner")).status_code == 200
        (renewed,) = (await asked.get("/claims"))["items"]
        assert renewed["expires_at"] > claim["expires_at"], "work on it renews the claim"


async def test_a_stack_is_no_environment_and_an_environment_no_stack(tmp_path: Path):
    async with api(tmp_path) as asked:
        run, name = await asked.a_run(), await asked.an_environment()
        assert [one["run"] for one in (await asked.get("/stacks"))["items"]] == [run.id]
        assert (await asked.ask("DELETE", f"{API}/stacks/{name}")).status_code == 404
        assert (await asked.ask("DELETE", f"{API}/environments/{run.id}")).status_code == 404
