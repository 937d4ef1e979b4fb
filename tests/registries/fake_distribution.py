"""A registry in memory: the distribution API with tokens or a password, pages, limits, and misfortunes that a test orders."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

Rule = Callable[[str, str], bool]
"""May this be done (`pull`, `push`, `delete`) to a repository?"""
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Account:
    """Somebody who may do something."""

    password: str
    may: Rule = lambda path, action: True


@dataclass
class Misfortune:
    """What the next request that begins so is answered instead."""

    beginning: str
    response: Callable[[], Response]
    method: str = ""


@dataclass
class Image:
    content: bytes
    kind: str


@dataclass
class Repository:
    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pushed: dict[str, datetime] = field(default_factory=dict)


class FakeDistribution:
    """The store and its API. `scheme` is how it wants to know who asks: ``, `basic` or `bearer`."""

    def __init__(
        self, *, scheme: str = "", deletes: bool = True, page: int = 1000, lists_referrers: bool = True
    ) -> None:
        self.scheme = scheme
        self.lists_referrers = lists_referrers
        self.deletes = deletes
        self.page = page
        self.accounts: dict[str, Account] = {}
        self.anybody: Rule = lambda path, action: not self.scheme
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.misfortunes: deque[Misfortune] = deque()
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.headers: dict[str, str] = {}
        self.blobs_elsewhere = ""
        self.realm = ""
        self.token_seconds = 300
        self.tokens: dict[str, tuple[str, set[tuple[str, str]]]] = {}
        self.uploads: set[str] = set()
        self._now = BEGINNING
        self.gives_token: Callable[[str, str], bool] = lambda path, actions: True
        self.on_push: Callable[[str, str, str], None] = lambda path, tag, digest: None

    def app(self) -> Starlette:
        return Starlette(routes=self.routes())

    def routes(self) -> Sequence[Route]:
        name = "/v2/{path:path}"
        return [
            Route("/v2/", self._asked(self._root)),
            Route("/token", self.token),
            Route(
                f"{name}/manifests/{{reference}}",
                self._asked(self._manifest),
                methods=["GET", "HEAD", "PUT", "DELETE"],
            ),
            Route(f"{name}/blobs/uploads/", self._asked(self._begin), methods=["POST"]),
            Route(f"{name}/blobs/uploads/{{upload}}", self._asked(self._upload), methods=["PUT", "DELETE"]),
            Route(f"{name}/blobs/{{digest}}", self._asked(self._blob), methods=["GET", "HEAD"]),
            Route(f"{name}/tags/list", self._asked(self._tags)),
            Route(f"{name}/referrers/{{digest}}", self._asked(self._referrers)),
        ]

    def count(self, method: str, ending: str) -> int:
        return sum(1 for verb, path, _ in self.asked if verb == method and path.endswith(ending))

    def put(self, path: str, tag: str, content: bytes = b"") -> str:
        """Put an image there, as if somebody had pushed it."""
        body = content or json.dumps({"schemaVersion": 2, "name": f"{path}:{tag}"}).encode()
        return self._store(path, tag, Image(body, "application/vnd.oci.image.manifest.v1+json"))

    def tick(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    async def token(self, request: Request) -> Response:
        """The token server: whoever knows no password gets what anybody may."""
        self.asked.append((request.method, request.url.path, dict(request.headers)))
        user = self._user(request)
        if user is None:
            return _error(401, "UNAUTHORIZED", "incorrect username or password")
        may = self.accounts[user].may if user else self.anybody
        access = set()
        for scope in request.query_params.getlist("scope"):
            _, path, actions = scope.split(":")
            if self.gives_token(path, actions):
                access |= {(path, action) for action in actions.split(",") if may(path, action)}
        token = secrets.token_urlsafe(12)
        self.tokens[token] = (user, access)
        return JSONResponse({"token": token, "expires_in": self.token_seconds})

    def _asked(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def asked(request: Request) -> Response:
            self.asked.append((request.method, request.url.path, dict(request.headers)))
            request.state.body = await request.body()
            if misfortune := self._misfortune(request):
                return misfortune
            response = self._refused(request) or answer(request)
            response.headers.update(self.headers)
            return response

        return asked

    def _misfortune(self, request: Request) -> Response | None:
        for one in self.misfortunes:
            if request.url.path.startswith(one.beginning) and one.method in ("", request.method):
                self.misfortunes.remove(one)
                return one.response()
        return None

    def _refused(self, request: Request) -> Response | None:
        path = request.path_params.get("path", "")
        action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
        action = "push" if "/uploads/" in request.url.path else action
        if self.scheme == "bearer":
            return self._refused_token(request, path, action)
        user = self._user(request)
        may = self.anybody if not user else self.accounts[user].may
        wrong = user is None or (self.scheme == "basic" and not user and not self.anybody(path, action))
        if wrong:
            return _error(
                401,
                "UNAUTHORIZED",
                "authentication required",
                **{"WWW-Authenticate": 'Basic realm="Registry"'},
            )
        return None if not path or may(path, action) else _error(403, "DENIED", "requested access is denied")

    def _refused_token(self, request: Request, path: str, action: str) -> Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self.tokens.get(token)
        if known and (not path or (path, action) in known[1]):
            return None
        realm = self.realm or f"{request.base_url}token"
        challenge = f'Bearer realm="{realm}",service="registry"'
        if path:
            challenge += f',scope="repository:{path}:{action}"'
        if known:
            challenge += ',error="insufficient_scope"'
        return _error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": challenge})

    def _user(self, request: Request) -> str | None:
        """Tell who asks: empty for anybody, None for a wrong password."""
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return ""
        name, _, password = base64.b64decode(told).decode().partition(":")
        known = self.accounts.get(name)
        return name if known and known.password == password else None

    def _root(self, request: Request) -> Response:
        return JSONResponse({})

    def _manifest(self, request: Request) -> Response:
        path, reference = request.path_params["path"], request.path_params["reference"]
        if request.method == "PUT":
            digest = self._store(path, reference, Image(request.state.body, request.headers["Content-Type"]))
            headers = {"Docker-Content-Digest": digest}
            subject = json.loads(request.state.body).get("subject")
            if subject and self.lists_referrers:
                headers["OCI-Subject"] = subject["digest"]
            return Response(status_code=201, headers=headers)
        repository = self.repositories.get(path)
        if repository is None:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        digest = repository.tags.get(reference, reference)
        image = repository.images.get(digest)
        if image is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if request.method == "DELETE":
            return self._delete(repository, digest)
        headers = {"Docker-Content-Digest": digest, "Content-Type": image.kind}
        return Response(image.content, headers=headers)

    def _delete(self, repository: Repository, digest: str) -> Response:
        if not self.deletes:
            return _error(405, "UNSUPPORTED", "The operation is unsupported.")
        del repository.images[digest]
        repository.tags = {tag: one for tag, one in repository.tags.items() if one != digest}
        return Response(status_code=202)

    def _store(self, path: str, tag: str, image: Image) -> str:
        repository = self.repositories.setdefault(path, Repository())
        digest = f"sha256:{hashlib.sha256(image.content).hexdigest()}"
        repository.images[digest] = image
        if ":" not in tag:
            repository.tags[tag] = digest
        repository.pushed[tag] = self.tick()
        self.on_push(path, tag, digest)
        return digest

    def _begin(self, request: Request) -> Response:
        upload = secrets.token_hex(4)
        self.uploads.add(upload)
        where = f"/v2/{request.path_params['path']}/blobs/uploads/{upload}?_state=x"
        return Response(status_code=202, headers={"Location": where})

    def _upload(self, request: Request) -> Response:
        self.uploads.remove(request.path_params["upload"])
        if request.method == "DELETE":
            return Response(status_code=204)
        digest = request.query_params["digest"]
        if digest != f"sha256:{hashlib.sha256(request.state.body).hexdigest()}":
            return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[digest] = request.state.body
        return Response(status_code=201)

    def _blob(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        if digest not in self.blobs:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.blobs_elsewhere:
            return RedirectResponse(f"{self.blobs_elsewhere}/{digest}", status_code=307)
        return Response(self.blobs[digest])

    def _referrers(self, request: Request) -> Response:
        if not self.lists_referrers:
            return Response("404 page not found", status_code=404)
        images = self.repositories.get(request.path_params["path"], Repository()).images
        told = [(digest, image, json.loads(image.content)) for digest, image in images.items()]
        found = [
            {"mediaType": image.kind, "digest": digest, "size": len(image.content)}
            | {"artifactType": manifest["artifactType"]}
            for digest, image, manifest in told
            if (manifest.get("subject") or {}).get("digest") == request.path_params["digest"]
        ]
        kind = "application/vnd.oci.image.index.v1+json"
        return JSONResponse({"schemaVersion": 2, "mediaType": kind, "manifests": found}, media_type=kind)

    def _tags(self, request: Request) -> Response:
        path = request.path_params["path"]
        if path not in self.repositories:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        after = request.query_params.get("last", "")
        left = sorted(tag for tag in self.repositories[path].tags if tag > after)
        page = left[: min(self.page, int(request.query_params.get("n", self.page)))]
        response = JSONResponse({"name": path, "tags": page or None})
        if len(left) > len(page):
            response.headers["Link"] = f'</v2/{path}/tags/list?last={page[-1]}&n={len(page)}>; rel="next"'
        return response


def _error(status: int, code: str, message: str, **headers: str) -> JSONResponse:
    body = {"errors": [{"code": code, "message": message}]}
    return JSONResponse(body, status_code=status, headers=headers)


def busy(status: int = 503, **headers: str) -> Callable[[], Response]:
    """Answer that it cannot answer now."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: _error(
        status, "TOOMANYREQUESTS" if status == 429 else "UNAVAILABLE", "come back later", **told
    )
