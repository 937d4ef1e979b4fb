"""A Docker Hub in memory: its registry, its token server, and the API of hub.docker.com, as they behave and not as described.

Played where they differ: `POST /v2/auth/token`, which the description lacks; a registry that refuses what is not there yet to whoever
only pulls (401, `insufficient_scope`), and deletes nothing; limits as headers of every answer and as 429; `images` of a tag is a list.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.registries.fake_distribution import Account, FakeDistribution, Repository

ORGANISATION, TOKEN = "w3evolutionsllc", "dckr_oat_" + "x" * 24


class FakeDockerHub:
    """The account may do everything to its organisation's repositories. `as_described` leaves out what the description has wrong."""

    def __init__(self, *, as_described: bool = False) -> None:
        self.as_described = as_described
        self.store = FakeDistribution(scheme="bearer", deletes=False)
        self.store.headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}
        self.store.accounts[ORGANISATION] = Account(
            TOKEN, lambda path, action: path.startswith(f"{ORGANISATION}/")
        )
        self.store.gives_token = lambda path, actions: path in self.store.repositories or "push" in actions
        self.tokens: set[str] = set()
        self.logins = 0

    def app(self) -> Starlette:
        repository = "/v2/namespaces/{namespace}/repositories/{name}"
        hub = [
            Route("/v2/auth/token", self._log_in, methods=["POST"]),
            Route("/v2/namespaces/{namespace}/repositories", self._asked(self._repositories)),
            Route(f"{repository}/tags", self._asked(self._tags)),
            Route(
                "/v2/repositories/{namespace}/{name}/tags/{tag}/",
                self._asked(self._delete),
                methods=["DELETE"],
            ),
        ]
        return Starlette(routes=[*hub, *self.store.routes()])

    async def _log_in(self, request: Request) -> Response:
        told = json.loads(await request.body())
        known = self.store.accounts.get(told["identifier"])
        if not known or known.password != told["secret"]:
            return JSONResponse({"detail": "Incorrect authentication credentials"}, status_code=401)
        self.logins += 1
        token = secrets.token_urlsafe(12)
        self.tokens.add(token)
        return JSONResponse({"access_token": token})

    def _asked(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def asked(request: Request) -> Response:
            self.store.asked.append((request.method, request.url.path, dict(request.headers)))
            if misfortune := self.store._misfortune(request):
                return misfortune
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                return JSONResponse({"message": "unauthorized"}, status_code=401)
            return answer(request)

        return asked

    def _repositories(self, request: Request) -> Response:
        beginning = f"{request.path_params['namespace']}/"
        names = sorted(path for path in self.store.repositories if path.startswith(beginning))
        return _page(request, [{"name": name.removeprefix(beginning)} for name in names])

    def _tags(self, request: Request) -> Response:
        repository = self.store.repositories.get(
            f"{request.path_params['namespace']}/{request.path_params['name']}"
        )
        if repository is None:
            return JSONResponse(
                {"message": "object not found", "detail": "object not found"}, status_code=404
            )
        told = [self._tag(repository, tag) for tag in repository.pushed if tag in repository.tags]
        return _page(request, told)

    def _tag(self, repository: Repository, tag: str) -> dict[str, Any]:
        pushed = repository.pushed[tag].isoformat()
        told = {"name": tag, "tag_last_pushed": pushed, "last_updated": pushed, "status": "active"}
        return (
            told
            if self.as_described
            else {**told, "images": [{"digest": repository.tags[tag], "os": "linux"}]}
        )

    def _delete(self, request: Request) -> Response:
        repository = self.store.repositories.get(
            f"{request.path_params['namespace']}/{request.path_params['name']}"
        )
        if repository is None or request.path_params["tag"] not in repository.tags:
            return JSONResponse({"message": "object not found"}, status_code=404)
        del repository.tags[request.path_params["tag"]]
        return Response(status_code=204)


def _page(request: Request, found: Sequence[Any]) -> Response:
    page, size = (
        int(request.query_params.get(name, usual)) for name, usual in (("page", 1), ("page_size", 10))
    )
    after = f"{request.url.replace_query_params(page=page + 1)}" if page * size < len(found) else None
    told = {
        "count": len(found),
        "next": after,
        "previous": None,
        "results": found[(page - 1) * size : page * size],
    }
    return JSONResponse(told)
