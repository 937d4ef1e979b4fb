"""What we ask of GitHub, and what our fake answers, is what GitHub's own description of its API says.

The fake answers what Conductor reads; the fields that are required beside it are put in from the description, so what is held against it
is each field that the fake speaks of, and each path, parameter and body of ours. Prism fills no parameter of a path with slashes: refs are
described for tags and heads apart. That a kept answer is still good (304) is not described where it is not needed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conductor.adapters.github import App, GitHubHosting, GitHubSite, convert
from conductor.domain.claim import Claim
from conductor.domain.delivery import Announcement, CommandGiven, TagPushed, Verb
from conductor.domain.verdict import Verdict
from tests.github.conftest import SHOP, a_run, at_work, failed
from tests.github.fake import APP_ID, PAT, START, FakeGitHub, Repository
from tests.github.npm import description
from tests.registries.prism import proxied
from tests.registries.serving import serving

AT = "/repos/{owner}/{repo}"
ASKED = [
    f"{AT}/installation", "/app/installations", "/app/installations/{installation_id}/access_tokens", "/app/hook/deliveries",
    "/app/hook/deliveries/{delivery_id}", "/app-manifests/{code}/conversions", "/installation/repositories", "/user", "/user/repos",
    f"{AT}/git/tags/{{tag_sha}}", f"{AT}/git/commits/{{commit_sha}}",
    f"{AT}/commits/{{commit_sha}}/branches-where-head", f"{AT}/commits/{{commit_sha}}/pulls", f"{AT}/commits/{{ref}}/check-runs",
    f"{AT}/branches", f"{AT}/compare/{{basehead}}", f"{AT}/pulls", f"{AT}/pulls/{{pull_number}}",
    f"{AT}/collaborators/{{username}}/permission", f"{AT}/check-runs", f"{AT}/check-runs/{{check_run_id}}",
    f"{AT}/issues/{{issue_number}}/comments", f"{AT}/issues/comments/{{comment_id}}", f"{AT}/issues/comments/{{comment_id}}/reactions",
    f"{AT}/issues", f"{AT}/issues/{{issue_number}}", f"{AT}/issues/{{issue_number}}/labels",
    f"{AT}/issues/{{issue_number}}/labels/{{name}}",
    f"{AT}/statuses/{{sha}}", AT, f"{AT}/actions/secrets", f"{AT}/actions/organization-secrets",
    f"{AT}/environments/{{environment_name}}/secrets", f"{AT}/actions/workflows/{{workflow_id}}/dispatches",
    f"{AT}/actions/workflows/{{workflow_id}}/runs", f"{AT}/actions/runs/{{run_id}}", f"{AT}/actions/runs/{{run_id}}/cancel",
]  # fmt: skip

REFS = {
    f"{AT}/git/ref/tags/{{ref}}": f"{AT}/git/ref/{{ref}}",
    f"{AT}/git/ref/heads/{{ref}}": f"{AT}/git/ref/{{ref}}",
    f"{AT}/git/matching-refs/tags/{{ref}}": f"{AT}/git/matching-refs/{{ref}}",
}


async def test_github_is_asked_and_played_as_its_description_says(
    github: FakeGitHub, shop: Repository, tmp_path: Path
):
    github.has_etags = False
    async with described(github, tmp_path) as (url, said):
        site = GitHubSite(api=url, app=App(id=APP_ID, private_key=github.pem))
        hosting = GitHubHosting(site, sleep=github.sleep, now=lambda: github.now)
        await ask_everything(hosting, github, shop)
        await sync(hosting, shop)
        await track(hosting, shop)
        await hosting.aclose()
        by_token = GitHubHosting(GitHubSite(api=url, token=PAT), sleep=github.sleep, now=lambda: github.now)
        await by_token.repositories()
        await by_token.announce(opened(), at_work(a_run(shop.branches["main"], issue=1)))
        await by_token.aclose()
        made = await convert("good", api=url)
    assert (made.app_id, made.webhook_secret) == (APP_ID, "s3cret")
    assert [line for line in said if "Violation" in line or "✖" in line] == []
    assert (len(shop.checks), len(shop.statuses)) == (2, 1)
    assert any(path.endswith("/git/ref/tags/run-integration-tests") for path in github.asked)


async def ask_everything(hosting: GitHubHosting, github: FakeGitHub, shop: Repository) -> None:
    commit = shop.branches["12-cart"]
    shop.tag("run-integration-tests", commit, message="Issue: #12")
    shop.pull(40, "12-cart")
    placed = await hosting.place(
        TagPushed(repository=SHOP, tag="run-integration-tests", commit=commit, sender="alice")
    )
    assert (placed.source.branch, placed.trigger.issue, placed.trigger.pull_request) == ("12-cart", 12, 40)
    assert len(await hosting.tags(SHOP, ["run-integration-tests*"])) == 1
    other = replace(a_run(shop.branches["main"]), trigger=None)
    assert await hosting.order(SHOP, placed, other) == "newer"
    assert await hosting.repositories() == [SHOP]
    assert await hosting.may_write(SHOP, "alice")
    github.comment_by(SHOP, 40, "/conductor run")
    given = CommandGiven(
        repository=SHOP,
        issue=40,
        is_pull_request=True,
        sender="alice",
        verb=Verb.RUN,
        comment=shop.comments[0]["id"],
    )
    assert (await hosting.place_command(given)).source.commit == commit
    for agreed in (True, False):
        await hosting.answer(given, "so it is", agreed=agreed)
    assert (
        await hosting.place_command(replace(given, issue=12, is_pull_request=False))
    ).source.commit == commit
    payload = {
        "ref": "refs/tags/x",
        "head_commit": {"id": commit},
        "repository": {"full_name": SHOP},
        "sender": {"login": "alice"},
    }
    github.deliver("push", payload, status=502, ago=timedelta(minutes=1))
    assert len(await hosting.lost(since=START - timedelta(hours=1))) == 1
    await announce(hosting, commit)


async def sync(hosting: GitHubHosting, shop: Repository) -> None:
    shop.workflows.add("sync.yml")
    shop.secrets["KEY_QA"] = shop.organization_secrets["OTHER_QA"] = START
    shop.environment_secrets["qa"] = {"KEY_QA": START}
    known = await hosting.workflows.secrets(SHOP, "qa")
    assert known
    assert (known.environment, set(known.changed)) == ("qa", {"KEY_QA", "OTHER_QA"})
    run = await hosting.workflows.dispatch(SHOP, "sync.yml", {"sync": "a1"}, title="conductor secrets a1")
    assert run == await hosting.workflows.find(SHOP, "sync.yml", title="conductor secrets a1")
    await hosting.workflows.cancel(SHOP, run.id)
    assert (await hosting.workflows.follow(SHOP, run.id, patience=timedelta(0))).conclusion == "cancelled"


async def track(hosting: GitHubHosting, shop: Repository) -> None:
    shop.issue(7, "Round", "bug")
    issues = hosting.issues(label="conductor:claimed")
    assert [one.number for one in await issues.list_issues(SHOP, labels=("bug",))] == [7]
    assert (await issues.find_issue(SHOP, 7)).is_open
    ends = START + timedelta(hours=8)
    claim = Claim(
        repository=SHOP, issue=7, principal="agent", branch="7-round", claimed_at=START, expires_at=ends
    )
    await issues.hide_claim(await issues.show_claim(claim))
    assert shop.tickets[7]["labels"] == [{"name": "bug"}]


async def announce(hosting: GitHubHosting, commit: str) -> None:
    run = a_run(commit)
    told = await hosting.announce(opened(), at_work(run))
    assert (await hosting.announce(told, failed(run, failures=60))).final
    again = replace(run, attempt=2)
    await hosting.announce(
        opened(), replace(failed(again), verdict=Verdict.PASSED, annotations=(), has_failures=False)
    )


def opened() -> Announcement:
    return Announcement(run="shop-k3v9qd", attempt=1, hosting="github")


@asynccontextmanager
async def described(github: FakeGitHub, folder: Path) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve the fake behind Prism, with the part of the description that Conductor asks for."""
    whole = description()
    described_as = {asked: REFS.get(asked, asked) for asked in (*ASKED, *REFS)}
    part = {**whole, "paths": {asked: _methods(whole["paths"][path]) for asked, path in described_as.items()}}
    file = folder / "github.json"
    file.write_text(json.dumps({key: part[key] for key in ("openapi", "info", "paths")}))
    async with (
        serving(Filling(github.app(), part["paths"])) as upstream,
        proxied(file, upstream) as (url, said),
    ):
        yield url, said


def _methods(item: dict[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in item if key in ("get", "post", "patch", "delete", "parameters")}


class Filling:
    """Puts required fields that the fake does not speak of into its answers."""

    def __init__(self, app: ASGIApp, paths: dict[str, Any]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began: Message = {}

        async def sent(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = message
                return
            body = message.get("body", b"")
            schema = self._schema(scope, began["status"])
            if schema and body:
                body = json.dumps(fill(schema, json.loads(body))).encode()
                kept = [one for one in began["headers"] if one[0] != b"content-length"]
                began = {**began, "headers": [*kept, (b"content-length", str(len(body)).encode())]}
            await send(began)
            await send({**message, "body": body})

        await self._app(scope, receive, sent)

    def _schema(self, scope: Scope, status: int) -> dict[str, Any] | None:
        asked = scope["path"].split("/")
        for path, item in self._paths.items():
            if _fits(path.split("/"), asked) and scope["method"].lower() in item:
                content = item[scope["method"].lower()]["responses"].get(str(status), {}).get("content", {})
                found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
                return found
        return None


def _fits(path: list[str], asked: list[str]) -> bool:
    whole = "/".join(path).endswith("{ref}") and len(asked) > len(path)
    pairs = zip(path, asked, strict=False)
    return (len(path) == len(asked) or whole) and all(
        one.startswith("{") or one == other for one, other in pairs
    )


def fill(schema: dict[str, Any], value: Any = None) -> Any:
    """Complete a value, or make the least one that fits."""
    if "allOf" in schema:
        for part in schema["allOf"]:
            value = fill(part, value)
        return value
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return value if value is not None and not isinstance(value, dict) else fill(options[0], value)
    if value is None and schema.get("nullable"):
        return None
    if "properties" in schema or schema.get("type") == "object":
        return _object(schema, value or {})
    if schema.get("type") == "array":
        return [fill(schema["items"], one) for one in value or ()]
    return value if value is not None else _least(schema)


def _object(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = {*value, *schema.get("required", ())}
    return {
        name: fill(properties[name], value.get(name)) if name in properties else value.get(name)
        for name in names
    }


def _least(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    made = {"integer": 1, "number": 1.0, "boolean": False}
    texts = {"uri": "https://example.org", "date-time": "2026-11-23T12:00:00Z", "email": "a@example.org"}
    return made.get(schema.get("type", ""), texts.get(schema.get("format", ""), "x"))
