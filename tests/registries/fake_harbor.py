"""A Harbor in memory: projects, robots, artifacts, scans in front of a registry, as its servers behave and not as its description says.

Played where the two differ: the report of a scan is an object keyed by MIME type, `{}` without a report; 412 without a scanner; 409 for
a scan that is under way. Robots reach whole projects, have a name with their project in it, and tell their secret once.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.registries.fake_distribution import Account, FakeDistribution

ADMIN, PASSWORD = "robot$conductor", "Harbor12345"
MIME = "application/vnd.security.vulnerability.report; version=1.1"
API = "/api/v2.0"
TRIVY = {"name": "Trivy", "vendor": "Aqua Security", "version": "v0.58.1"}
_ROBOT_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_DAY = 86_400


@dataclass
class Robot:
    id: int
    project: str
    name: str
    secret: str
    expires_at: int
    permissions: list[Mapping[str, Any]]

    @property
    def full_name(self) -> str:
        return f"robot${self.project}+{self.name}"


@dataclass
class ScanOf:
    """A scan: the states that it goes through, one for each time that somebody looks."""

    states: list[str]
    report: Mapping[str, Any] | None = None
    asked: int = 1

    def look(self) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@dataclass
class FakeHarbor:
    store: FakeDistribution = field(default_factory=lambda: FakeDistribution(scheme="bearer"))
    projects: dict[str, int] = field(default_factory=dict)
    robots: dict[int, Robot] = field(default_factory=dict)
    scans: dict[str, ScanOf] = field(default_factory=dict)
    scanner: bool = True
    may_make_projects: bool = True
    refuses_to_scan: str = ""
    scan_states: Sequence[str] = ("Pending", "Running", "Success")
    report: Mapping[str, Any] | None = None
    immutable: set[str] = field(default_factory=set)
    _last: int = 0

    def __post_init__(self) -> None:
        self.store.accounts[ADMIN] = Account(PASSWORD)
        self.store.gives_token = lambda path, actions: path.partition("/")[0] in self.projects

    def app(self) -> Starlette:
        return Starlette(routes=[*self._api(), *self.store.routes()])

    def add_project(self, name: str) -> int:
        self.projects[name] = self._number()
        return self.projects[name]

    def add_robot(self, name: str, project: str, *, expires_at: int) -> Robot:
        robot = Robot(self._number(), project, name, f"Secret{self._last}of{name}", expires_at, [])
        self.robots[robot.id] = robot
        may: Callable[[str, str], bool] = lambda path, action: (  # noqa: E731
            path.startswith(f"{project}/") and action in ("pull", "push") and robot.id in self.robots
        )
        self.store.accounts[robot.full_name] = Account(robot.secret, may)
        return robot

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _api(self) -> Sequence[Route]:
        repository = f"{API}/projects/{{project}}/repositories/{{repository}}"
        artifact = f"{repository}/artifacts/{{reference}}"
        return [
            Route(f"{API}/projects", self._asked(self._projects), methods=["HEAD", "GET", "POST"]),
            Route(f"{API}/projects/{{project}}", self._asked(self._project)),
            Route(f"{API}/projects/{{project}}/scanner", self._asked(self._scanner)),
            Route(f"{API}/projects/{{project}}/repositories", self._asked(self._repositories)),
            Route(f"{repository}/artifacts", self._asked(self._artifacts)),
            Route(artifact, self._asked(self._artifact), methods=["GET", "DELETE"]),
            Route(f"{artifact}/tags/{{tag}}", self._asked(self._tag), methods=["DELETE"]),
            Route(f"{artifact}/scan", self._asked(self._scan), methods=["POST"]),
            Route(f"{artifact}/additions/vulnerabilities", self._asked(self._report)),
            Route(f"{API}/robots", self._asked(self._robots), methods=["GET", "POST"]),
            Route(f"{API}/robots/{{number:int}}", self._asked(self._robot), methods=["DELETE"]),
        ]

    def _asked(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def asked(request: Request) -> Response:
            self.store.asked.append((request.method, request.url.path, dict(request.headers)))
            body = await request.body()
            request.state.told = json.loads(body) if body else {}
            if misfortune := self.store._misfortune(request):
                return misfortune
            if not self.store._user(request):
                return _error(401, "UNAUTHORIZED", "unauthorized")
            return answer(request)

        return asked

    def _projects(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(status_code=200 if request.query_params["project_name"] in self.projects else 404)
        if request.method == "GET":
            beginning = request.query_params.get("q", "").removeprefix("name=~")
            found = [{"name": name, "project_id": number} for name, number in sorted(self.projects.items())]
            return _page(request, [one for one in found if beginning in str(one["name"])])
        name = request.state.told["project_name"]
        if not self.may_make_projects:
            return _error(403, "FORBIDDEN", "forbidden")
        if name in self.projects:
            return _error(409, "CONFLICT", f"The project named {name} already exists")
        number = self.add_project(name)
        return Response(status_code=201, headers={"Location": f"{API}/projects/{number}"})

    def _project(self, request: Request) -> Response:
        name = request.path_params["project"]
        if name not in self.projects:
            return _error(404, "NOT_FOUND", f"project {name} not found")
        return JSONResponse(
            {"name": name, "project_id": self.projects[name], "metadata": {"public": "false"}}
        )

    def _scanner(self, request: Request) -> Response:
        return JSONResponse(
            {"uuid": "1", "disabled": False, "health": "healthy", **TRIVY} if self.scanner else {}
        )

    def _repositories(self, request: Request) -> Response:
        beginning = f"{request.path_params['project']}/"
        return _page(
            request,
            [{"name": name} for name in sorted(self.store.repositories) if name.startswith(beginning)],
        )

    def _path(self, request: Request) -> str:
        """The repository's slashes come encoded twice: one time is left for us."""
        return f"{request.path_params['project']}/{unquote(request.path_params['repository'])}"

    def _artifacts(self, request: Request) -> Response:
        path = self._path(request)
        if path not in self.store.repositories:
            return _error(404, "NOT_FOUND", f"repository {path} not found")
        return _page(request, [self._told(path, digest) for digest in self.store.repositories[path].images])

    def _told(self, path: str, digest: str, *, overview: bool = False) -> dict[str, Any]:
        repository = self.store.repositories[path]
        tags = [
            {"name": tag, "push_time": repository.pushed[tag].isoformat().replace("+00:00", "Z")}
            for tag, one in repository.tags.items()
            if one == digest
        ]
        told: dict[str, Any] = {"digest": digest, "type": "IMAGE", "tags": tags or None}
        if overview and (scan := self.scans.get(digest)):
            status = scan.look()
            told["scan_overview"] = {
                MIME: {"scan_status": status, "scanner": TRIVY, **self._summary(scan, status)}
            }
        return told

    def _summary(self, scan: ScanOf, status: str) -> dict[str, Any]:
        if status != "Success":
            return {}
        listed = (scan.report or {}).get("vulnerabilities") or []
        counts: dict[str, int] = {}
        for one in listed:
            counts[one["severity"]] = counts.get(one["severity"], 0) + 1
        return {"severity": "High", "summary": {"total": len(listed), "fixable": 0, "summary": counts}}

    def _artifact(self, request: Request) -> Response:
        path, digest = self._path(request), request.path_params["reference"]
        if digest not in getattr(self.store.repositories.get(path), "images", {}):
            return _error(404, "NOT_FOUND", f"artifact {path}@{digest} not found")
        if request.method == "GET":
            return JSONResponse(self._told(path, digest, overview=True))
        self.store._delete(self.store.repositories[path], digest)
        return Response(status_code=200)

    def _tag(self, request: Request) -> Response:
        repository, tag = self.store.repositories[self._path(request)], request.path_params["tag"]
        if tag in self.immutable:
            return _error(412, "PRECONDITION", f"the tag {tag} configured as immutable, cannot be deleted")
        del repository.tags[tag]
        return Response(status_code=200)

    def _scan(self, request: Request) -> Response:
        digest = request.path_params["reference"]
        if not self.scanner:
            return _error(412, "PRECONDITION", "no available scanner for project")
        if self.refuses_to_scan:
            return _error(400, "BAD_REQUEST", self.refuses_to_scan)
        known = self.scans.get(digest)
        if known and known.states[0] in ("Pending", "Running"):
            return _error(409, "CONFLICT", "a previous scan process is running")
        self.scans[digest] = ScanOf(list(self.scan_states), self.report, known.asked + 1 if known else 1)
        return Response(status_code=202)

    def _report(self, request: Request) -> Response:
        scan = self.scans.get(request.path_params["reference"])
        return JSONResponse({MIME: scan.report} if scan and scan.report is not None else {})

    def _robots(self, request: Request) -> Response:
        if request.method == "POST":
            return self._make_robot(request.state.told)
        asked = dict(part.split("=") for part in request.query_params.get("q", "").split(",") if part)
        if asked.get("Level") == "project" and "ProjectID" not in asked:
            return _error(400, "BAD_REQUEST", "must with project ID when to query project robots")
        found = [
            one
            for one in self.robots.values()
            if str(self.projects.get(one.project)) == asked.get("ProjectID")
        ]
        told = [
            {"id": one.id, "name": one.full_name, "expires_at": one.expires_at, "level": "project"}
            for one in found
        ]
        return _page(request, told)

    def _make_robot(self, told: Mapping[str, Any]) -> Response:
        permissions = told.get("permissions") or []
        sound = _ROBOT_NAME.fullmatch(told["name"]) and len(permissions) == 1 and permissions[0]["access"]
        if not sound or not (told["duration"] == -1 or told["duration"] > 0):
            return _error(400, "BAD_REQUEST", "bad request")
        project = permissions[0]["namespace"]
        if any(one.project == project and one.name == told["name"] for one in self.robots.values()):
            return _error(409, "CONFLICT", f"robot {told['name']} already exists")
        robot = self.add_robot(told["name"], project, expires_at=int(time.time()) + told["duration"] * _DAY)
        robot.permissions = permissions
        made = {
            "id": robot.id,
            "name": robot.full_name,
            "secret": robot.secret,
            "expires_at": robot.expires_at,
        }
        return JSONResponse(made, status_code=201, headers={"Location": f"{API}/robots/{robot.id}"})

    def _robot(self, request: Request) -> Response:
        robot = self.robots.pop(request.path_params["number"], None)
        if robot is None:
            return _error(404, "NOT_FOUND", "robot not found")
        del self.store.accounts[robot.full_name]
        return Response(status_code=200)


def _page(request: Request, found: Sequence[Any]) -> Response:
    page, size = (
        int(request.query_params.get(name, usual)) for name, usual in (("page", 1), ("page_size", 10))
    )
    if size > 100:
        return _error(422, "UNPROCESSABLE_ENTITY", "page_size should be less than or equal to 100")
    return JSONResponse(found[(page - 1) * size : page * size], headers={"X-Total-Count": str(len(found))})


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status_code=status)
