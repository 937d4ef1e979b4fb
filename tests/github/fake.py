"""A GitHub to test with: repositories, comments, checks, an App with its tokens and their permissions, and what goes wrong there.

It checks who asks: the signature of the App's token, what an installation's token reaches and may do. Held against GitHub's own description
of its API by `test_description.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

APP_ID = "4711"
PAT = "github_pat_of_a_machine_user"
BOT_ID, PERSON_ID = 900, 901
ALL = {
    "contents": "read",
    "issues": "write",
    "checks": "write",
    "pull_requests": "read",
    "actions": "write",
    "secrets": "read",
    "environments": "read",
    "metadata": "read",
}
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
Handler = Callable[[Request], Awaitable[Response]]
Runner = Callable[["Repository", dict[str, Any]], Awaitable[str]]
"""Does what a workflow's run is for, and returns its conclusion; `inputs` of the run are what the dispatch brought."""


def sha(text: str) -> str:
    """Name a commit or a tag object."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@dataclass
class Repository:
    """One repository. `parents` is its history; `tag_objects` are annotated tags: (message, kind, where it leads)."""

    name: str
    messages: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    tag_objects: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    issues: set[int] = field(default_factory=set)
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    reactions: set[tuple[int, str]] = field(default_factory=set)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    writers: dict[str, str] = field(default_factory=dict)
    default_branch: str = "main"
    workflows: set[str] = field(default_factory=set)
    workflow_runs: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, datetime] = field(default_factory=dict)
    organization_secrets: dict[str, datetime] = field(default_factory=dict)
    environment_secrets: dict[str, dict[str, datetime]] = field(default_factory=dict)

    def commit(self, text: str, *, parent: str | None = None, branch: str = "", message: str = "") -> str:
        """Make a commit, and move a branch to it."""
        made = sha(text)
        self.messages[made], self.parents[made] = message or text, parent
        if branch:
            self.branches[branch] = made
        return made

    def tag(self, name: str, commit: str, *, message: str = "") -> str:
        """Make or move a tag: an annotated one where there is a message. Returns what the ref points at."""
        if not message:
            self.tags[name] = ("commit", commit)
            return commit
        made = sha(f"{name}{commit}{message}")
        self.tag_objects[made] = (message, "commit", commit)
        self.tags[name] = ("tag", made)
        return made

    def pull(
        self, number: int, branch: str, *, body: str = "", source: str | None = None, commit: str = ""
    ) -> None:
        """Open a pull request; `source` is the fork that it comes from."""
        self.issues.add(number)
        head = {
            "ref": branch,
            "sha": commit or self.branches[branch],
            "label": f"x:{branch}",
            "repo": {"full_name": source or self.name},
        }
        self.pulls.append({"number": number, "state": "open", "body": body, "head": head})

    def issue(self, number: int, title: str, *labels: str, body: str = "") -> dict[str, Any]:
        """Open an issue, and return it as it is kept: `state` may be changed."""
        self.issues.add(number)
        made = {
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "labels": [{"name": name} for name in labels],
            "html_url": f"https://github.com/{self.name}/issues/{number}",
            "updated_at": "2026-11-23T12:00:00Z",
            "user": {"login": "alice", "id": PERSON_ID},
            "assignees": [],
        }
        self.tickets[number] = made
        return made

    def ancestors(self, commit: str | None) -> list[str]:
        """Return the commit and what came before it."""
        found = []
        while commit:
            found.append(commit)
            commit = self.parents.get(commit)
        return found


@dataclass
class Misfortune:
    """An answer that takes the place of the right one; `after` does what was asked first, as where an answer is lost."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    after: bool = False


class FakeGitHub:
    """The whole of it. `now` is its clock, which nothing moves but a test."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.now = START
        self.repositories: dict[str, Repository] = {}
        self.granted: dict[str, str] = dict(ALL)
        self.tokens: dict[str, tuple[datetime, frozenset[str] | None, Mapping[str, str]]] = {}
        self.deliveries: list[dict[str, Any]] = []
        self.misfortunes: list[Misfortune] = []
        self.asked: Counter[str] = Counter()
        self.refused: list[str] = []
        self.not_modified = 0
        self.renamed: dict[str, int] = {}
        self.numbered: dict[int, str] = {}
        self.has_etags = True
        self.tells_run_details = True
        self.lists_runs_after = 0
        self.runner: Runner | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._ids = iter(range(1001, 1_000_000))

    def repository(self, name: str) -> Repository:
        """Make one, or return it."""
        return self.repositories.setdefault(name, Repository(name))

    def rename(self, old: str, new: str) -> None:
        """Rename a repository: whoever asks for the old name is led to its number."""
        repository = self.repositories.pop(old)
        repository.name = new
        self.repositories[new] = repository
        self.renamed[old] = next(self._ids)
        self.numbered[self.renamed[old]] = new

    async def sleep(self, seconds: float) -> None:
        """Let its clock run on."""
        self.now += timedelta(seconds=seconds)

    async def rest(self, seconds: float) -> None:
        """Let its clock run on, and what runs meanwhile come to its end."""
        if self._running:
            await asyncio.wait(self._running)
        await self.sleep(seconds)

    def fails(
        self,
        method: str,
        path: str,
        status: int,
        *,
        after: bool = False,
        times: int = 1,
        body: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> None:
        """Have the next questions whose path ends so answered with that."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.misfortunes += [Misfortune(method, path, status, named, body or {}, after)] * times

    def deliver(
        self, event: str, payload: Mapping[str, Any], *, status: int, ago: timedelta, guid: str = ""
    ) -> str:
        """Note a delivery as it keeps them; the latest stands first."""
        number = next(self._ids)
        guid = guid or f"00000000-0000-4000-8000-{number:012}"
        self.deliveries.append({
            "id": number, "guid": guid, "delivered_at": f"{self.now - ago:%Y-%m-%dT%H:%M:%SZ}", "redelivery": False, "duration": 0.1,
            "status": "OK" if status < 300 else "failed", "status_code": status, "event": event, "action": payload.get("action"),
            "request": {"headers": {}, "payload": payload},
        })  # fmt: skip
        self.deliveries.sort(key=lambda one: one["delivered_at"], reverse=True)
        return guid

    def comment_by(self, repository: str, number: int, body: str, *, user: int = PERSON_ID) -> None:
        """Write a comment as a person."""
        self._comment(self.repositories[repository], number, body, user=user, app=None)

    def app(self) -> ASGIApp:
        """Return what serves it."""
        routes = self._routes()

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (led := self._led(Request(scope))) is not None:
                await led(scope, receive, send)
            else:
                await routes(self._by_name(scope), receive, send)

        return served

    def _led(self, request: Request) -> Response | None:
        """Lead from an old name to the number."""
        for old, number in self.renamed.items():
            path = request.url.path
            if path.startswith(f"/repos/{old}/"):
                there = request.url.replace(path=path.replace(f"/repos/{old}/", f"/repositories/{number}/"))
                self.asked[f"{request.method} {path}"] += 1
                return JSONResponse({"message": "Moved Permanently"}, 301, headers={"Location": str(there)})
        return None

    def _by_name(self, scope: Scope) -> Scope:
        if scope["type"] == "http" and scope["path"].startswith("/repositories/"):
            _, _, number, rest = scope["path"].split("/", 3)
            return {**scope, "path": f"/repos/{self.numbered[int(number)]}/{rest}"}
        return scope

    def _routes(self) -> Starlette:
        at = "/repos/{owner}/{repo}"
        return Starlette(routes=[
            _route("GET", at + "/installation", self._jwt(self._installation)),
            _route("GET", "/app", self._jwt(self._app_itself)),
            _route("GET", "/app/installations", self._jwt(self._installations)),
            _route("POST", "/app/installations/{id}/access_tokens", self._jwt(self._make_token)),
            _route("GET", "/app/hook/deliveries", self._jwt(self._list_deliveries)),
            _route("GET", "/app/hook/deliveries/{id}", self._jwt(self._delivery)),
            _route("POST", "/app-manifests/{code}/conversions", self._plain(self._convert)),
            _route("GET", "/installation/repositories", self._may("metadata", "read", self._own_repositories)),
            _route("GET", "/user", self._may("metadata", "read", self._user)),
            _route("GET", "/user/repos", self._may("metadata", "read", self._user_repositories)),
            _route("GET", at + "/git/ref/tags/{name:path}", self._may("contents", "read", self._tag_ref)),
            _route("GET", at + "/git/ref/heads/{name:path}", self._may("contents", "read", self._head_ref)),
            _route("GET", at + "/git/matching-refs/tags/{name:path}", self._may("contents", "read", self._matching)),
            _route("GET", at + "/git/tags/{sha}", self._may("contents", "read", self._tag_object)),
            _route("GET", at + "/git/commits/{sha}", self._may("contents", "read", self._commit)),
            _route("GET", at + "/commits/{sha}/branches-where-head", self._may("contents", "read", self._heads)),
            _route("GET", at + "/commits/{sha}/pulls", self._may("pull_requests", "read", self._pulls_of)),
            _route("GET", at + "/commits/{sha}/check-runs", self._may("checks", "read", self._list_checks)),
            _route("GET", at + "/branches", self._may("contents", "read", self._branches)),
            _route("GET", at + "/compare/{both:path}", self._may("contents", "read", self._compare)),
            _route("GET", at + "/pulls", self._may("pull_requests", "read", self._list_pulls)),
            _route("GET", at + "/pulls/{number}", self._may("pull_requests", "read", self._pull)),
            _route("GET", at + "/collaborators/{login}/permission", self._may("metadata", "read", self._permission)),
            _route("POST", at + "/check-runs", self._may("checks", "write", self._make_check)),
            _route("GET", at + "/check-runs/{id}", self._may("checks", "read", self._check)),
            _route("PATCH", at + "/check-runs/{id}", self._may("checks", "write", self._edit_check)),
            _route("GET", at + "/issues", self._may("issues", "read", self._list_issues)),
            _route("GET", at + "/issues/{number}", self._may("issues", "read", self._one_issue)),
            _route("POST", at + "/issues/{number}/labels", self._may("issues", "write", self._add_labels)),
            _route("DELETE", at + "/issues/{number}/labels/{name}", self._may("issues", "write", self._remove_label)),
            _route("GET", at + "/issues/{number}/comments", self._may("issues", "read", self._list_comments)),
            _route("POST", at + "/issues/{number}/comments", self._may("issues", "write", self._make_comment)),
            _route("GET", at + "/issues/comments/{id}", self._may("issues", "read", self._one_comment)),
            _route("PATCH", at + "/issues/comments/{id}", self._may("issues", "write", self._edit_comment)),
            _route("POST", at + "/issues/comments/{id}/reactions", self._may("issues", "write", self._react)),
            _route("GET", at, self._may("metadata", "read", self._repository)),
            _route("GET", at + "/actions/secrets", self._may("secrets", "read", self._repository_secrets)),
            _route("GET", at + "/actions/organization-secrets", self._may("secrets", "read", self._organization_secrets)),
            _route("GET", at + "/environments/{name}/secrets", self._may("environments", "read", self._environment_secrets)),
            _route("POST", at + "/actions/workflows/{file}/dispatches", self._may("actions", "write", self._dispatch)),
            _route("GET", at + "/actions/workflows/{file}/runs", self._may("actions", "read", self._list_runs)),
            _route("GET", at + "/actions/runs/{id}", self._may("actions", "read", self._workflow_run)),
            _route("POST", at + "/actions/runs/{id}/cancel", self._may("actions", "write", self._cancel_run)),
            _route("POST", at + "/statuses/{sha}", self._may("statuses", "write", self._make_status)),
        ])  # fmt: skip

    def _plain(self, handler: Handler) -> Handler:
        async def answered(request: Request) -> Response:
            self.asked[f"{request.method} {request.url.path}"] += 1
            coming = self._coming(request)
            if coming is None:
                return self._validated(request, await handler(request))
            self.misfortunes.remove(coming)
            if coming.after:
                await handler(request)
            return JSONResponse(dict(coming.body), coming.status, headers=dict(coming.headers))

        return answered

    def _coming(self, request: Request) -> Misfortune | None:
        path = request.url.path
        return next(
            (m for m in self.misfortunes if m.method == request.method and path.endswith(m.path)), None
        )

    def _validated(self, request: Request, answer: Response) -> Response:
        """Answer that nothing has changed where that is so."""
        if request.method != "GET" or answer.status_code != 200 or not self.has_etags:
            return answer
        etag = f'W/"{hashlib.sha256(bytes(answer.body)).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            self.not_modified += 1
            return Response(status_code=304, headers={"ETag": etag})
        answer.headers["ETag"] = etag
        return answer

    def _jwt(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            return await handler(request) if self._is_app(_bearer(request)) else _no(401, "Bad credentials")

        return self._plain(checked)

    def _is_app(self, token: str) -> bool:
        head, _, signature = token.rpartition(".")
        try:
            self.key.public_key().verify(
                _decoded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        claims = json.loads(_decoded(head.split(".")[1]))
        lives = claims["iat"] <= self.now.timestamp() < claims["exp"] <= claims["iat"] + 600
        return bool(lives and claims["iss"] == APP_ID)

    def _may(self, permission: str, level: str, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            given = _bearer(request)
            if given == PAT:
                denied = permission == "checks" and level == "write"
                return (
                    _no(403, "Resource not accessible by personal access token")
                    if denied
                    else await handler(request)
                )
            ends, reached, permissions = self.tokens.get(given, (self.now, frozenset(), {}))
            if ends <= self.now:
                return _no(401, "Bad credentials")
            if (
                "repo" in request.path_params
                and reached is not None
                and _name(request).lower() not in reached
            ):
                return _no(404, "Not Found")
            if permissions.get(permission) not in (level, "write"):
                self.refused.append(request.url.path)
                return _no(
                    403,
                    "Resource not accessible by integration",
                    {"X-Accepted-GitHub-Permissions": f"{permission}={level}"},
                )
            if "repo" in request.path_params and _name(request) not in self.repositories:
                return _no(404, "Not Found")
            return await handler(request)

        return self._plain(checked)

    async def _app_itself(self, request: Request) -> Response:
        del request
        return JSONResponse(
            {"id": int(APP_ID), "slug": "conductor-acme", "owner": None, "permissions": self.granted}
        )

    async def _installation(self, request: Request) -> Response:
        known = _name(request) in self.repositories
        return JSONResponse(self._as_installation()) if known else _no(404, "Not Found")

    async def _installations(self, request: Request) -> Response:
        del request
        return JSONResponse([self._as_installation()])

    def _as_installation(self) -> dict[str, Any]:
        return {
            "id": 77,
            "app_id": int(APP_ID),
            "permissions": self.granted,
            "suspended_at": None,
            "suspended_by": None,
            "single_file_name": None,
        }

    async def _make_token(self, request: Request) -> Response:
        asked = await request.json()
        wanted = asked.get("permissions", self.granted)
        rank = {"read": 1, "write": 2}
        if any(rank.get(self.granted.get(name, ""), 0) < rank[level] for name, level in wanted.items()):
            return _no(422, "The permissions requested are not granted to this installation.")
        value, ends = f"ghs_{next(self._ids)}", self.now + timedelta(hours=1)
        names = asked.get("repositories")
        reached = (
            frozenset(full.lower() for full in self.repositories if full.split("/")[1] in names)
            if names
            else None
        )
        if numbers := asked.get("repository_ids"):
            reached = frozenset(self.numbered[number].lower() for number in numbers)
        if names and not reached:
            return _no(422, "There is at least one repository that does not exist or is not accessible.")
        self.tokens[value] = (ends, reached, wanted)
        return JSONResponse(
            {"token": value, "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "permissions": wanted}, 201
        )

    async def _list_deliveries(self, request: Request) -> Response:
        shown = [{key: one[key] for key in one if key != "request"} for one in self.deliveries]
        return _paged(request, shown)

    async def _delivery(self, request: Request) -> Response:
        found = next((one for one in self.deliveries if str(one["id"]) == request.path_params["id"]), None)
        return JSONResponse(found) if found else _no(404, "Not Found")

    async def _convert(self, request: Request) -> Response:
        if request.path_params["code"] != "good":
            return _no(404, "Not Found")
        made = {
            "id": int(APP_ID),
            "slug": "conductor-acme",
            "html_url": "https://github.com/apps/conductor-acme",
        }
        secret = {"pem": self.pem, "webhook_secret": "s3cret", "client_id": "Iv1.x", "client_secret": "y"}
        return JSONResponse({**made, **secret}, 201)

    async def _own_repositories(self, request: Request) -> Response:
        return _paged(request, [{"full_name": name} for name in self.repositories], within="repositories")

    async def _user(self, request: Request) -> Response:
        del request
        return JSONResponse({"id": BOT_ID, "login": "machine"})

    async def _user_repositories(self, request: Request) -> Response:
        return _paged(request, [{"full_name": name} for name in self.repositories])

    async def _tag_ref(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = self._at(request).tags.get(name)
        return JSONResponse(_ref(f"refs/tags/{name}", *found)) if found else _no(404, "Not Found")

    async def _head_ref(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = self._at(request).branches.get(name)
        return JSONResponse(_ref(f"refs/heads/{name}", "commit", found)) if found else _no(404, "Not Found")

    async def _matching(self, request: Request) -> Response:
        start, tags = request.path_params["name"], self._at(request).tags
        return _paged(
            request,
            [_ref(f"refs/tags/{name}", *at) for name, at in sorted(tags.items()) if name.startswith(start)],
        )

    async def _tag_object(self, request: Request) -> Response:
        found = self._at(request).tag_objects.get(request.path_params["sha"])
        if found is None:
            return _no(404, "Not Found")
        target = {"type": found[1], "sha": found[2]}
        return JSONResponse({"sha": request.path_params["sha"], "message": found[0], "object": target})

    async def _commit(self, request: Request) -> Response:
        commit, repository = request.path_params["sha"], self._at(request)
        if commit not in repository.messages:
            return _no(404, "Not Found")
        return JSONResponse({"sha": commit, "message": repository.messages[commit], "parents": []})

    async def _heads(self, request: Request) -> Response:
        commit, branches = request.path_params["sha"], self._at(request).branches
        return JSONResponse([_branch(name, head) for name, head in branches.items() if head == commit])

    async def _pulls_of(self, request: Request) -> Response:
        repository, commit = self._at(request), request.path_params["sha"]
        heads = ((one, one["head"]["sha"]) for one in repository.pulls)
        return JSONResponse([one for one, head in heads if commit in (head, *repository.ancestors(head))])

    async def _branches(self, request: Request) -> Response:
        return _paged(request, [_branch(*one) for one in sorted(self._at(request).branches.items())])

    async def _compare(self, request: Request) -> Response:
        base, head = request.path_params["both"].split("...")
        repository = self._at(request)
        if base not in repository.messages or head not in repository.messages:
            return _no(404, "Not Found")
        status = (
            "ahead"
            if base in repository.ancestors(head)
            else "behind"
            if head in repository.ancestors(base)
            else "diverged"
        )
        return JSONResponse(
            {"status": status, "ahead_by": 1, "behind_by": 0, "total_commits": 1, "commits": []}
        )

    async def _list_pulls(self, request: Request) -> Response:
        _, _, branch = request.query_params.get("head", "").partition(":")
        return _paged(request, [one for one in self._at(request).pulls if branch in ("", one["head"]["ref"])])

    async def _pull(self, request: Request) -> Response:
        found = next(
            (one for one in self._at(request).pulls if str(one["number"]) == request.path_params["number"]),
            None,
        )
        return JSONResponse(found) if found else _no(404, "Not Found")

    async def _permission(self, request: Request) -> Response:
        level = self._at(request).writers.get(request.path_params["login"], "read")
        return JSONResponse({"permission": level, "role_name": level, "user": None})

    async def _list_checks(self, request: Request) -> Response:
        name, commit = request.query_params.get("check_name"), request.path_params["sha"]
        found = [one for one in self._at(request).checks if one["head_sha"] == commit and one["name"] == name]
        return _paged(request, found, within="check_runs")

    async def _make_check(self, request: Request) -> Response:
        made: dict[str, Any] = {
            "id": next(self._ids),
            "actions": [],
            "annotations": [],
            "conclusion": None,
            "completed_at": None,
        }
        self._at(request).checks.append(made)
        return self._changed_check(made, await request.json(), 201)

    async def _check(self, request: Request) -> Response:
        found = self._check_at(request)
        return JSONResponse(_shown_check(found)) if found else _no(404, "Not Found")

    async def _edit_check(self, request: Request) -> Response:
        found = self._check_at(request)
        return self._changed_check(found, await request.json(), 200) if found else _no(404, "Not Found")

    def _changed_check(self, check: dict[str, Any], told: dict[str, Any], status: int) -> Response:
        output = dict(told.pop("output", {}))
        added = output.pop("annotations", [])
        if len(added) > 50 or len(output.get("summary", "")) > 65_535:
            return _no(422, "Invalid request.")
        check["annotations"].extend(added)
        check.update(told)
        check["output"] = {**check.get("output", {}), **output, "text": None}
        return JSONResponse(_shown_check(check), status)

    def _check_at(self, request: Request) -> dict[str, Any] | None:
        return next(
            (one for one in self._at(request).checks if str(one["id"]) == request.path_params["id"]), None
        )

    async def _list_issues(self, request: Request) -> Response:
        asked = request.query_params
        wanted = {name for name in asked.get("labels", "").split(",") if name}
        pulls = [
            {
                "number": one["number"],
                "title": "a pull request",
                "state": "open",
                "labels": [],
                "pull_request": {},
            }
            for one in self._at(request).pulls
        ]
        found = [
            one
            for one in (*self._at(request).tickets.values(), *pulls)
            if one["state"] == asked.get("state", "open")
            and wanted <= {label["name"] for label in one["labels"]}
        ]
        return _paged(request, sorted(found, key=lambda one: int(one["number"])))

    async def _one_issue(self, request: Request) -> Response:
        found = self._ticket(request)
        return JSONResponse(found) if found else _no(404, "Not Found")

    async def _add_labels(self, request: Request) -> Response:
        found = self._ticket(request)
        if found is None:
            return _no(404, "Not Found")
        present = [one["name"] for one in found["labels"]]
        found["labels"] += [{"name": one} for one in (await request.json())["labels"] if one not in present]
        return JSONResponse(found["labels"])

    async def _remove_label(self, request: Request) -> Response:
        found, name = self._ticket(request), request.path_params["name"]
        if found is None or name not in [one["name"] for one in found["labels"]]:
            return _no(404, "Label does not exist")
        found["labels"] = [one for one in found["labels"] if one["name"] != name]
        return JSONResponse(found["labels"])

    def _ticket(self, request: Request) -> dict[str, Any] | None:
        return self._at(request).tickets.get(int(request.path_params["number"]))

    async def _list_comments(self, request: Request) -> Response:
        number = int(request.path_params["number"])
        if number not in self._at(request).issues:
            return _no(404, "Not Found")
        return _paged(request, [one for one in self._at(request).comments if one["issue"] == number])

    async def _make_comment(self, request: Request) -> Response:
        number, body = int(request.path_params["number"]), (await request.json())["body"]
        if number not in self._at(request).issues:
            return _no(404, "Not Found")
        if len(body) > 65_536:
            return _no(422, "Validation Failed")
        app = None if _bearer(request) == PAT else {"id": int(APP_ID)}
        return JSONResponse(self._comment(self._at(request), number, body, user=BOT_ID, app=app), 201)

    def _comment(
        self, repository: Repository, number: int, body: str, *, user: int, app: dict[str, Any] | None
    ) -> dict[str, Any]:
        made = {
            "id": next(self._ids),
            "issue": number,
            "body": body,
            "user": {
                "id": user,
                **({"type": "Bot", "login": "conductor-acme[bot]"} if user == BOT_ID else {}),
            },
            "performed_via_github_app": app,
        }
        repository.comments.append(made)
        return made

    async def _one_comment(self, request: Request) -> Response:
        found = self._comment_at(request)
        return JSONResponse(found) if found else _no(404, "Not Found")

    async def _edit_comment(self, request: Request) -> Response:
        found = self._comment_at(request)
        if found is None:
            return _no(404, "Not Found")
        found["body"] = (await request.json())["body"]
        return JSONResponse(found)

    def _comment_at(self, request: Request) -> dict[str, Any] | None:
        return next(
            (one for one in self._at(request).comments if str(one["id"]) == request.path_params["id"]), None
        )

    async def _react(self, request: Request) -> Response:
        content = (await request.json())["content"]
        self._at(request).reactions.add((int(request.path_params["id"]), content))
        return JSONResponse({"id": next(self._ids), "content": content, "user": None}, 201)

    async def _make_status(self, request: Request) -> Response:
        made = {"sha": request.path_params["sha"], **await request.json()}
        self._at(request).statuses.append(made)
        return JSONResponse({"id": next(self._ids), **made}, 201)

    async def _repository(self, request: Request) -> Response:
        return JSONResponse({"full_name": _name(request), "default_branch": self._at(request).default_branch})

    async def _repository_secrets(self, request: Request) -> Response:
        return _paged(request, _shown_secrets(self._at(request).secrets), within="secrets")

    async def _organization_secrets(self, request: Request) -> Response:
        return _paged(request, _shown_secrets(self._at(request).organization_secrets), within="secrets")

    async def _environment_secrets(self, request: Request) -> Response:
        found = self._at(request).environment_secrets.get(request.path_params["name"])
        if found is None:
            return _no(404, "Not Found")
        return _paged(request, _shown_secrets(found), within="secrets")

    async def _dispatch(self, request: Request) -> Response:
        repository, asked = self._at(request), await request.json()
        if request.path_params["file"] not in repository.workflows:
            return _no(404, "Not Found")
        if "return_run_details" in asked and not self.tells_run_details:
            return _no(422, '"return_run_details" is not a permitted key.')
        if asked["ref"] != repository.default_branch or len(asked["inputs"]) > 25:
            return _no(422, "Unexpected inputs provided")
        number = next(self._ids)
        run = {
            "id": number, "name": "Conductor: sync secrets", "status": "queued", "conclusion": None, "inputs": asked["inputs"],
            "display_title": f"conductor secrets {asked['inputs'].get('sync', '')}", "event": "workflow_dispatch",
            "html_url": f"https://github.com/{repository.name}/actions/runs/{number}", "file": request.path_params["file"],
        }  # fmt: skip
        repository.workflow_runs.insert(0, run)
        if self.runner:
            task = asyncio.create_task(self._run(self.runner, repository, run))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if not asked.get("return_run_details"):
            return Response(status_code=204)
        link = run["html_url"]
        return JSONResponse({"workflow_run_id": number, "run_url": link, "html_url": link}, 200)

    async def _run(self, runner: Runner, repository: Repository, run: dict[str, Any]) -> None:
        run["status"] = "in_progress"
        conclusion = await runner(repository, run)
        if run["conclusion"] is None:
            run |= {"status": "completed", "conclusion": conclusion}

    async def _list_runs(self, request: Request) -> Response:
        self.lists_runs_after -= 1
        runs = self._at(request).workflow_runs if self.lists_runs_after < 0 else []
        found = [_shown_run(one) for one in runs if one["file"] == request.path_params["file"]]
        return _paged(request, found, within="workflow_runs")

    async def _workflow_run(self, request: Request) -> Response:
        found = self._run_at(request)
        return JSONResponse(_shown_run(found)) if found else _no(404, "Not Found")

    async def _cancel_run(self, request: Request) -> Response:
        found = self._run_at(request)
        if found is None:
            return _no(404, "Not Found")
        if found["conclusion"]:
            return _no(409, "Cannot cancel a workflow run that is completed.")
        found |= {"status": "completed", "conclusion": "cancelled"}
        return JSONResponse({}, 202)

    def _run_at(self, request: Request) -> dict[str, Any] | None:
        runs = self._at(request).workflow_runs
        return next((one for one in runs if str(one["id"]) == request.path_params["id"]), None)

    def _at(self, request: Request) -> Repository:
        return self.repositories[_name(request)]


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(path, handler, methods=[method])


def _name(request: Request) -> str:
    return f"{request.path_params['owner']}/{request.path_params['repo']}"


def _bearer(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _no(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    said = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return JSONResponse(said, status, headers=dict(headers or {}))


def _paged(request: Request, found: list[dict[str, Any]], *, within: str = "") -> Response:
    size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
    shown: Any = found[(page - 1) * size : page * size]
    more = request.url.include_query_params(page=page + 1)
    headers = {"Link": f'<{more}>; rel="next", <{more}>; rel="last"'} if len(found) > page * size else {}
    if within:
        shown = {
            "total_count": len(found),
            within: [_shown_check(one) if within == "check_runs" else one for one in shown],
        }
    return JSONResponse(shown, headers=headers)


def _ref(name: str, kind: str, at: str) -> dict[str, Any]:
    return {"ref": name, "object": {"type": kind, "sha": at}}


def _shown_secrets(secrets: Mapping[str, datetime]) -> list[dict[str, Any]]:
    return [
        {"name": name, "created_at": f"{START:%Y-%m-%dT%H:%M:%SZ}", "updated_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        for name, at in sorted(secrets.items())
    ]


def _shown_run(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run[key] for key in run if key not in ("inputs", "file")}


def _branch(name: str, head: str) -> dict[str, Any]:
    return {"name": name, "commit": {"sha": head}, "protected": False}


def _shown_check(check: dict[str, Any]) -> dict[str, Any]:
    output = {**check["output"], "annotations_count": len(check["annotations"])}
    return {**{key: check[key] for key in check if key not in ("annotations", "actions")}, "output": output}
