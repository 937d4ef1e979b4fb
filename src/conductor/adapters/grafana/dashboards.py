"""`GrafanaDashboards`: dashboards in one folder of a Grafana, each under a uid that is worked out from what it is of.

Laws. What stands is left as it is, with what people changed of it; only an older design is replaced. Two that save at once do not overwrite
each other: Grafana answers 412, and whoever lost looks again. Source: grafana.com/docs, "Dashboard HTTP API", "Folder HTTP API".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2

from conductor.adapters.grafana.building import Json, Sources, drawn
from conductor.adapters.grafana.designs import DESIGN, design_of, quoted
from conductor.errors import ConductorError, ConflictError, UnreachableError, UsageError
from conductor.ports.dashboards import Board, Of

PATIENCE_SECONDS = 10.0
MOST = 1000
"""Dashboards that Grafana gives on one page; 5000 is its limit."""
TAG = "conductor"
TURNS = 3
_UNREACHABLE = "Check CONDUCTOR_GRAFANA_URL; runs go on without dashboards."
_RIGHTS = "Give the service account of CONDUCTOR_GRAFANA_TOKEN the role Editor (folders: create; dashboards: read, write, delete)."


class GrafanaDashboards:
    """One Grafana, for one instance."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        instance: str,
        folder: str = "Conductor",
        public_url: str = "",
        conductor_url: str = "",
        sources: Sources | None = None,
        api: str = "/api",
    ) -> None:
        """`conductor_url` is where people reach this Conductor: dashboards link back to it. `api` is where its API begins."""
        self._instance = instance
        self._folder = folder
        self._public_url = public_url or url
        self._conductor_url = conductor_url
        self._sources = sources or Sources()
        self._http = httpx2.AsyncClient(
            base_url=f"{url}{api}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS
        )

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def ensure(self, board: Board) -> None:
        """Make it, or leave it as it stands."""
        for _ in range(TURNS):
            found = await self._find(board)
            if found and self._design_tag in (found["dashboard"].get("tags") or ()):
                return
            version = found["dashboard"].get("version") if found else None
            if await self._save(board, version):
                return
        raise ConflictError(
            f"saving the dashboard of {_named(board)} in Grafana: somebody else saves it at the same time",
            remedy="It is tried again; nothing is lost.",
        )

    async def remove(self, uid: str) -> None:
        """Remove it; gone already is well."""
        answer = await self._ask("DELETE", f"/dashboards/uid/{uid}", "removing a dashboard")
        _expect(answer, HTTPStatus.OK, HTTPStatus.NOT_FOUND)

    async def standing(self) -> set[str]:
        """Return those of this instance, by their tags."""
        found: set[str] = set()
        for page in range(1, MOST):
            asked = [
                *(("tag", tag) for tag in self._tags),
                ("type", "dash-db"),
                ("limit", str(MOST)),
                ("page", str(page)),
            ]
            hits = _expect(
                await self._ask("GET", "/search", "listing dashboards", params=asked), HTTPStatus.OK
            )
            found |= {str(hit["uid"]) for hit in hits if {*self._tags} <= {*(hit.get("tags") or ())}}
            if len(hits) < MOST:
                break
        return found

    def link(self, board: Board) -> str:
        """Return its address for people."""
        return f"{self._public_url}/d/{self.uid(board)}"

    def logs(self, board: Board) -> str:
        """Return Explore's address with the query of its logs (grafana.com/docs, "Explore", URL format)."""
        if not self._sources.loki:
            return ""
        source = {"type": "loki", "uid": self._sources.loki}
        query = {
            "refId": "A",
            "datasource": source,
            "expr": f'{{run="{quoted(board.name)}"}}',
            "queryType": "range",
        }
        pane = {
            "datasource": self._sources.loki,
            "queries": [query],
            "range": {"from": "now-24h", "to": "now"},
        }
        return f"{self._public_url}/explore?schemaVersion=1&panes={quote(json.dumps({'a': pane}, separators=(',', ':')), safe='')}"

    def uid(self, board: Board) -> str:
        """Work out its uid: at most 40 characters, whatever it is of, and another for each instance."""
        said = f"{self._instance}/{board.of}/{board.name}"
        return f"conductor-{hashlib.sha256(said.encode()).hexdigest()[:24]}"

    def drawn(self, board: Board) -> Json:
        """Return the dashboard as it is sent."""
        design = design_of(board, instance=self._instance, page=self._page(board))
        tags = [*self._tags, self._design_tag, board.of]
        return drawn(design, uid=self.uid(board), tags=tags, sources=self._sources)

    @property
    def _tags(self) -> tuple[str, str]:
        """By which its own are known; Grafana's tags have 50 characters at most."""
        return TAG, f"instance:{self._instance}"

    @property
    def _design_tag(self) -> str:
        return f"design:{DESIGN}"

    def _page(self, board: Board) -> str:
        folder = {Of.RUN: "runs", Of.ENVIRONMENT: "environments"}.get(board.of)
        return (
            f"{self._conductor_url}/{folder}/{quote(board.name, safe='')}"
            if self._conductor_url and folder
            else ""
        )

    async def _find(self, board: Board) -> Mapping[str, Any] | None:
        answer = await self._ask(
            "GET", f"/dashboards/uid/{self.uid(board)}", f"reading the dashboard of {_named(board)}"
        )
        found = _expect(answer, HTTPStatus.OK, HTTPStatus.NOT_FOUND)
        return found if answer.status_code == HTTPStatus.OK else None

    async def _save(self, board: Board, version: int | None) -> bool:
        """Save it over the version that was seen, or as a new one. False where another was faster."""
        dashboard = self.drawn(board) | ({"version": version} if version is not None else {})
        body = {
            "dashboard": dashboard,
            "folderUid": await self._ensured_folder(),
            "overwrite": False,
            "message": "Conductor",
        }
        answer = await self._ask(
            "POST", "/dashboards/db", f"saving the dashboard of {_named(board)}", json=body
        )
        _expect(answer, HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED)
        return answer.status_code == HTTPStatus.OK

    async def _ensured_folder(self) -> str:
        """Return the folder's uid; made where it is missing. One that another process makes meanwhile is as good."""
        uid = f"conductor-{hashlib.sha256(self._folder.encode()).hexdigest()[:16]}"
        doing = f"making the folder {self._folder!r}"
        answer = await self._ask("GET", f"/folders/{uid}", doing)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            answer = await self._ask("POST", "/folders", doing, json={"uid": uid, "title": self._folder})
        _expect(answer, HTTPStatus.OK, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
        return uid

    async def _ask(self, method: str, path: str, doing: str, **said: Any) -> httpx2.Response:
        try:
            answer = await self._http.request(method, path, **said)
        except httpx2.HTTPError as error:
            raise UnreachableError(
                f"{doing} in Grafana: {error or type(error).__name__}", remedy=_UNREACHABLE
            ) from error
        answer.extensions["doing"] = doing
        return answer


def _expect(answer: httpx2.Response, *statuses: HTTPStatus) -> Any:
    """Return the answer's JSON where its status is one of these; raise what the others mean."""
    if answer.status_code not in statuses:
        raise _refusal(answer)
    try:
        return answer.json()
    except ValueError as error:
        raise UnreachableError(
            f"{answer.extensions['doing']} in Grafana: no JSON came", remedy=_UNREACHABLE
        ) from error


def _refusal(answer: httpx2.Response) -> ConductorError:
    said = f"{answer.extensions['doing']} in Grafana: HTTP {answer.status_code} {answer.text[:200].strip()}"
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return UsageError(said, remedy=_RIGHTS)
    return UnreachableError(said, remedy=_UNREACHABLE)


def _named(board: Board) -> str:
    return f"{board.of} {board.name}".strip()
