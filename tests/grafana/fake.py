"""A Grafana to test with: a folder, dashboards with versions, who may do what, and somebody who saves at the same time.

Held against Grafana's own description of its API by `test_description.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "glsa_of_a_service_account"
VIEWER = "glsa_that_may_only_look"


@dataclass
class FakeGrafana:
    """The whole of it."""

    folders: dict[str, str] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    """What others do between a look and a save: one thing for each save."""
    down: bool = False

    def app(self) -> Starlette:
        """Return it as an application."""
        return Starlette(
            routes=[
                Route("/api/folders", self._made(self._make_folder), methods=["POST"]),
                Route("/api/folders/{uid}", self._made(self._folder)),
                Route("/api/dashboards/db", self._made(self._save), methods=["POST"]),
                Route("/api/dashboards/uid/{uid}", self._made(self._read)),
                Route("/api/dashboards/uid/{uid}", self._made(self._delete), methods=["DELETE"]),
                Route("/api/search", self._made(self._search)),
            ]
        )

    def _made(self, answer: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
        async def asked(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if self.down:
                return _said(500, "Internal server error")
            if token not in (TOKEN, VIEWER):
                return _said(401, "Invalid API key")
            if token == VIEWER and request.method != "GET":
                return _said(403, "You'll need additional permissions to perform this action.")
            return answer(request, await request.json() if request.method == "POST" else None)

        return asked

    def _make_folder(self, _: Request, body: Any) -> Response:
        if body["uid"] in self.folders:
            return _said(409, "a folder with the same UID already exists")
        self.folders[body["uid"]] = body["title"]
        return JSONResponse({"id": len(self.folders), "uid": body["uid"], "title": body["title"]})

    def _folder(self, request: Request, _: Any) -> Response:
        uid = request.path_params["uid"]
        if uid not in self.folders:
            return _said(404, "folder not found")
        return JSONResponse({"id": 1, "uid": uid, "title": self.folders[uid]})

    def _save(self, _: Request, body: Any) -> Response:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        sent = body["dashboard"]
        if body["folderUid"] not in self.folders:
            return _said(400, "folder not found")
        there = self.dashboards.get(sent["uid"])
        if there and not body.get("overwrite") and sent.get("version") != there["version"]:
            return _said(412, "The dashboard has been changed by someone else", status="version-mismatch")
        saved = {**sent, "id": len(self.dashboards) + 1, "version": there["version"] + 1 if there else 1}
        self.dashboards[sent["uid"]] = saved
        told = {
            "uid": sent["uid"],
            "url": f"/d/{sent['uid']}/x",
            "status": "success",
            "version": saved["version"],
        }
        return JSONResponse({**told, "id": str(saved["id"]), "title": "x"})

    def _read(self, request: Request, _: Any) -> Response:
        found = self.dashboards.get(request.path_params["uid"])
        return JSONResponse({"dashboard": found, "meta": {}}) if found else _said(404, "Dashboard not found")

    def _delete(self, request: Request, _: Any) -> Response:
        found = self.dashboards.pop(request.path_params["uid"], None)
        if found is None:
            return _said(404, "Dashboard not found")
        return JSONResponse({"id": found["id"], "title": found["title"], "message": "deleted"})

    def _search(self, request: Request, _: Any) -> Response:
        wanted = set(request.query_params.getlist("tag"))
        hits = [one for one in self.dashboards.values() if wanted <= set(one["tags"])]
        told = [
            {
                "id": one["id"],
                "uid": one["uid"],
                "title": one["title"],
                "type": "dash-db",
                "tags": one["tags"],
            }
            for one in hits
        ]
        return JSONResponse(told if request.query_params.get("page", "1") == "1" else [])


def _said(code: int, message: str, **more: str) -> Response:
    return JSONResponse({"message": message, **more}, status_code=code)
