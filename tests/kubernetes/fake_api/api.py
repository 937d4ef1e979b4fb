"""The API over HTTP: addresses, verbs, parameters, watches. An ASGI application."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import yaml
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.faults import Faults, Watching
from tests.kubernetes.fake_api.kinds import BY_ADDRESS, NAMESPACES, PODS, RESOURCES, Object, Resource
from tests.kubernetes.fake_api.kubelet import Kubelet
from tests.kubernetes.fake_api.logs import Log, reading
from tests.kubernetes.fake_api.objects import APPLY, Asked, Deletion, Objects
from tests.kubernetes.fake_api.pod_status import with_condition
from tests.kubernetes.fake_api.problems import (
    Problem,
    bad_request,
    cause,
    expired_list,
    expired_watch,
    forbidden,
    no_such_resource,
    unauthorized,
)
from tests.kubernetes.fake_api.selectors import Matches, selecting
from tests.kubernetes.fake_api.store import Event
from tests.kubernetes.fake_api.streams import attach, chosen_container, forward, refuse, run_command

TOKEN = "fake-token"
_VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.2", "platform": "linux/amd64"}
_STREAMS = ("exec", "attach", "portforward")


class DroppedError(Exception):
    """A connection that is cut."""


class Address:
    """What a path means."""

    def __init__(self, path: str) -> None:
        parts = [part for part in path.split("/") if part]
        group, version, rest = (
            ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        )
        self.group, self.version, self.namespace = group, version, ""
        if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            self.namespace, rest = rest[1], rest[2:]
        self.plural, self.name, self.part = [*rest, "", "", ""][:3]
        self.resource = BY_ADDRESS.get((group, version, self.plural))


class Api:
    """Serves. `bookmarks` is how often a watch tells where it is, in seconds."""

    def __init__(
        self, objects: Objects, kubelet: Kubelet, faults: Faults, *, bookmarks: float = 60.0
    ) -> None:
        self.objects = objects
        self.store = objects.store
        self.kubelet = kubelet
        self.faults = faults
        self.bookmarks = bookmarks
        self.is_closing = asyncio.Event()
        self._pages: dict[str, tuple[int, list[Object]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(WebSocket(scope, receive, send))
        elif scope["type"] == "http":
            await self._request(Request(scope, receive), scope, receive, send)

    async def _request(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(request, receive, send)
        except Problem as problem:
            headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
            response = _json(problem.status, problem.code, headers)
        except ClientDisconnect:
            return
        if response is not None:
            await response(scope, receive, send)

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        """Refuse a wrong token. Who brings none is let in: kubectl sends none over plain HTTP."""
        given = headers.get("authorization")
        if given not in (None, f"Bearer {TOKEN}") or self.faults.tokens_expired:
            raise unauthorized()

    async def _answer(self, request: Request, receive: Receive, send: Send) -> Response | None:  # noqa: PLR0911 -- a table
        path = request.url.path.rstrip("/")
        self._authenticate(request.headers)
        if (found := self._discovery(path)) is not None:
            return found
        if not path.startswith(("/api/", "/apis/")) or len(path.split("/")) < (
            4 if path.startswith("/api/") else 5
        ):
            return PlainTextResponse("404 page not found\n", 404)
        address = Address(path)
        if address.plural == "selfsubjectaccessreviews":
            return _json(self._review(await _body(request)), 201)
        if address.resource is None:
            known = any((r.group, r.version) == (address.group, address.version) for r in RESOURCES)
            return PlainTextResponse("404 page not found\n", 404) if not known else _raise(no_such_resource())
        verb = _verb(request.method, address, request.query_params)
        self._authorize(verb, address)
        await self.faults.meet(verb, address.plural)
        if verb == "watch":
            await self._watch(address, request.query_params, receive, send)
            return None
        if address.part == "log":
            await self._log(address, request.query_params, receive, send)
            return None
        return await self._verb(verb, address, request)

    def _authorize(self, verb: str, address: Address) -> None:
        what = f"{address.plural}/{address.part}" if address.part else address.plural
        if (verb, what) in self.faults.denied and address.resource is not None:
            where = (
                f' in the namespace "{address.namespace}"' if address.namespace else " at the cluster scope"
            )
            why = f'User "fake" cannot {verb} resource "{what}" in API group "{address.group}"{where}'
            raise forbidden(address.resource, address.name, why)

    def _review(self, asked: Object) -> Object:
        about = asked["spec"].get("resourceAttributes") or {}
        part = f"/{about['subresource']}" if about.get("subresource") else ""
        allowed = (about.get("verb"), f"{about.get('resource')}{part}") not in self.faults.denied
        return {**asked, "metadata": {}, "status": {"allowed": allowed}}

    def _discovery(self, path: str) -> Response | None:  # noqa: PLR0911 -- a table
        groups = sorted({r.group for r in RESOURCES if r.group} | {"authorization.k8s.io"})
        if path == "/version":
            return _json(_VERSION)
        if path in ("/healthz", "/livez", "/readyz"):
            return PlainTextResponse("ok")
        if path == "/api":
            return _json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        if path == "/apis":
            return _json(
                {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
            )
        parts = path.split("/")[1:]
        if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
            return _json({"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])})
        if parts[0] in ("api", "apis") and len(parts) == (2 if parts[0] == "api" else 3):
            return _resources("" if parts[0] == "api" else parts[1], parts[-1])
        return None

    async def _verb(self, verb: str, address: Address, request: Request) -> Response:  # noqa: PLR0911 -- a table
        resource, query = address.resource, request.query_params
        assert resource is not None
        place = resource, address.namespace, address.name
        match verb:
            case "list":
                return _json(self._list(address, query))
            case "get":
                return _json(self.objects.get(*place))
            case "create" if address.part == "eviction":
                return _json(self._evict(address, await _body(request)), 201)
            case "create":
                body = await _body(request)
                return _json(
                    self.objects.create(resource, address.namespace, body, _asked(request, body)), 201
                )
            case "update":
                body = await _body(request)
                return _json(self.objects.replace(*place, body, _asked(request, body), part=address.part))
            case "patch":
                return await self._patch(address, request)
            case "delete":
                return self._delete(address, await _options(request))
            case "deletecollection":
                options = await _options(request)
                for thing in self._chosen(address, query):
                    self.objects.delete(
                        resource, thing["metadata"].get("namespace", ""), thing["metadata"]["name"], options
                    )
                return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        raise Problem(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
        )

    async def _patch(self, address: Address, request: Request) -> Response:
        assert address.resource is not None
        kind = request.headers.get("content-type", "").partition(";")[0]
        place = address.resource, address.namespace, address.name
        body = await _body(request)
        if kind != APPLY:
            return _json(self.objects.patch(*place, body, kind, _asked(request), part=address.part))
        if not request.query_params.get("fieldManager"):
            said = cause("fieldManager", "Required", "is required for apply patch")
            text = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {said["message"]}'
            raise Problem(
                422, "Invalid", text, {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [said]}
            )
        made, is_new = self.objects.apply(*place, body, _asked(request), part=address.part)
        return _json(made, 201 if is_new else 200)

    def _delete(self, address: Address, options: Deletion) -> Response:
        resource = address.resource
        assert resource is not None
        thing, is_gone = self.objects.delete(resource, address.namespace, address.name, options)
        if not is_gone or resource in (PODS, NAMESPACES):
            return _json(thing)
        details = {
            "name": address.name,
            **({"group": resource.group} if resource.group else {}),
            "kind": resource.plural,
            "uid": thing["metadata"]["uid"],
        }
        return _json(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _evict(self, address: Address, body: Object) -> Object:
        """Take a pod away by the eviction API, which marks it first."""
        pod = self.objects.get(PODS, address.namespace, address.name)
        known = (pod.get("status") or {}).get("conditions") or []
        marked = with_condition(known, "DisruptionTarget", "EvictionByEvictionAPI", "Eviction API: evicting")
        self.objects.status(PODS, pod, conditions=marked)
        options = Deletion.read(body.get("deleteOptions") or {})
        self.objects.delete(PODS, address.namespace, address.name, options)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _chosen(self, address: Address, query: Mapping[str, str]) -> list[Object]:
        assert address.resource is not None
        matches = selecting(address.resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        return [thing for thing in self.store.all(address.resource, address.namespace) if matches(thing)]

    def _list(self, address: Address, query: Mapping[str, str]) -> Object:
        resource = address.resource
        assert resource is not None
        if token := query.get("continue"):
            if token not in self._pages:
                raise bad_request("invalid continue token: continue key is not valid")
            version, left = self._pages.pop(token)
            if version < self.store.oldest:
                raise expired_list()
        else:
            version, left = self.store.version, self._chosen(address, query)
        metadata: Object = {"resourceVersion": str(version)}
        limit = int(query.get("limit") or 0)
        if limit and len(left) > limit:
            metadata["continue"] = token = secrets.token_urlsafe()
            metadata["remainingItemCount"] = len(left) - limit
            self._pages[token] = version, left[limit:]
            left = left[:limit]
        items = [{k: v for k, v in thing.items() if k not in ("kind", "apiVersion")} for thing in left]
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api,
            "metadata": metadata,
            "items": items,
        }

    async def _watch(self, address: Address, query: Mapping[str, str], receive: Receive, send: Send) -> None:
        assert address.resource is not None
        matches = selecting(address.resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        watching = self.faults.watching(address.plural)
        try:
            await _stream(self._events(address, query, matches, watching), "application/json", receive, send)
        finally:
            watching.close()

    async def _events(
        self, address: Address, query: Mapping[str, str], matches: Matches, watching: Watching
    ) -> AsyncGenerator[bytes]:
        """Yield the lines of a watch, until its time is over or it is ended by a fault."""
        resource = address.resource
        assert resource is not None
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(query.get("timeoutSeconds") or 1800)
        asked = query.get("resourceVersion") or "0"
        position = int(asked)
        if position and position < self.store.oldest:
            yield _line("ERROR", json.dumps(expired_watch(position, self.store.oldest).status))
            return
        yield b""
        if not position or query.get("sendInitialEvents") == "true":
            position = self.store.version
            for thing in self._chosen(address, query):
                yield _line("ADDED", json.dumps(thing))
        wants_bookmarks = query.get("allowWatchBookmarks") == "true"
        if query.get("sendInitialEvents") == "true":
            yield _bookmark(resource, position, {"k8s.io/initial-events-end": "true"})
        bookmark_due = loop.time() + self.bookmarks
        async for event in self._following(position, ends, watching):
            if event is None:
                if wants_bookmarks and loop.time() >= bookmark_due:
                    bookmark_due = loop.time() + self.bookmarks
                    yield _bookmark(resource, self.store.version, {})
                continue
            kind = _seen(event, resource, address.namespace, matches)
            if kind:
                yield _line(kind, event.text)
        if watching.ended == "expired":
            yield _line("ERROR", json.dumps(expired_watch(position, self.store.version).status))
        elif watching.ended == "dropped":
            raise DroppedError

    async def _following(
        self, position: int, ends: float, watching: Watching
    ) -> AsyncGenerator[Event | None]:
        """Yield what happens, and None when nothing has for a while."""
        loop = asyncio.get_running_loop()
        while loop.time() < ends and not watching.ended and not self.is_closing.is_set():
            if not self.faults.is_silent(watching.resource):
                for event in self.store.since(position):
                    position = event.version
                    yield event
                    if watching.ended:
                        return
                yield None
            await self._pause(position, min(ends - loop.time(), self.bookmarks), watching)

    async def _pause(self, position: int, patience: float, watching: Watching) -> None:
        waits = [asyncio.create_task(watching.changed.wait()), asyncio.create_task(self.is_closing.wait())]
        if not self.faults.is_silent(watching.resource):
            waits.append(asyncio.create_task(self.store.changed(position, max(0.01, patience))))  # type: ignore[arg-type]
        _, pending = await asyncio.wait(
            waits, timeout=max(0.01, patience), return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        watching.changed.clear()

    async def _log(self, address: Address, query: Mapping[str, str], receive: Receive, send: Send) -> None:
        pod = self.objects.get(PODS, address.namespace, address.name)
        log = self._find_log(pod, query)
        await _stream(reading(log, query), "text/plain", receive, send)

    def _find_log(self, pod: Object, query: Mapping[str, str]) -> Log:
        container = chosen_container(pod, query.get("container", ""))["name"]
        name = pod["metadata"]["name"]
        worker = self.kubelet.worker(pod)
        logs = worker.containers[container].logs if worker and container in worker.containers else []
        if query.get("previous") == "true":
            if len(logs) < 2:
                raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
            return logs[-2]
        if logs:
            return logs[-1]
        raise bad_request(f'container "{container}" in pod "{name}" is {_why_waiting(pod, container)}')

    async def _socket(self, socket: WebSocket) -> None:
        address = Address(socket.url.path)
        try:
            self._authenticate(socket.headers)
            if address.resource is not PODS or address.part not in _STREAMS:
                raise no_such_resource()
            self._authorize("get", address)
            self._authorize("create", address)
            await self.faults.meet("get", f"pods/{address.part}")
            pod = self.objects.get(PODS, address.namespace, address.name)
        except Problem as problem:
            await refuse(socket, problem)
            return
        if address.part == "exec":
            await run_command(socket, self.kubelet, pod, socket.query_params)
        elif address.part == "attach":
            await attach(socket, self.kubelet, pod, socket.query_params)
        else:
            await forward(socket, socket.query_params)


def _raise(problem: Problem) -> Response:
    raise problem


def _why_waiting(pod: Object, container: str) -> str:
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    waits = next((s["state"].get("waiting") or {} for s in found if s["name"] == container), {})
    reason = waits.get("reason", "")
    words = {"ImagePullBackOff": "trying and failing to pull image", "ErrImagePull": "image can't be pulled"}
    return f"waiting to start: {words.get(reason, reason or 'ContainerCreating')}"


def _verb(method: str, address: Address, query: Mapping[str, str]) -> str:
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if address.name else "list"
    if method == "DELETE":
        return "delete" if address.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


def _asked(request: Request, body: Object | None = None) -> Asked:
    query = request.query_params
    agent = request.headers.get("user-agent", "unknown").partition("/")[0]
    return Asked(
        manager=query.get("fieldManager") or agent,
        dry_run=query.get("dryRun") == "All",
        strict=query.get("fieldValidation") == "Strict",
        force=query.get("force") == "true",
    )


async def _body(request: Request) -> Any:
    """Read an object, as JSON or YAML."""
    if "protobuf" in request.headers.get("content-type", ""):
        said = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml"
        raise Problem(415, "UnsupportedMediaType", said, {})
    text = await request.body()
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise bad_request(
            "the object provided is unrecognized (must be of type the resource's kind): couldn't get version/kind"
        )
    return found


async def _options(request: Request) -> Deletion:
    text = await request.body()
    options = json.loads(text) if text.strip() else {}
    query = request.query_params
    if query.get("propagationPolicy"):
        options["propagationPolicy"] = query["propagationPolicy"]
    if query.get("gracePeriodSeconds"):
        options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
    if query.get("dryRun"):
        options["dryRun"] = [query["dryRun"]]
    return Deletion.read(options)


def _json(thing: Object, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(thing), code, dict(headers or {}), "application/json")


def _group(group: str) -> Object:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str) -> Response | None:
    found = [
        described
        for r in RESOURCES
        if (r.group, r.version) == (group, version)
        for described in r.described()
    ]
    if group == "authorization.k8s.io":
        found = [{"name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": False,
                  "kind": "SelfSubjectAccessReview", "verbs": ["create"]}]  # fmt: skip
    if not found:
        return PlainTextResponse("404 page not found\n", 404)
    name = f"{group}/{version}" if group else version
    return _json({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found})


def _seen(event: Event, resource: Resource, namespace: str, matches: Matches) -> str:
    """Say as what a watch sees an event: what comes into its selection is new, what leaves it is gone."""
    if event.resource is not resource or (namespace and event.now["metadata"].get("namespace") != namespace):
        return ""
    is_in = event.type != "DELETED" and matches(event.now)
    was_in = event.before is not None and matches(event.before)
    return {(True, True): "MODIFIED", (False, True): "ADDED", (True, False): "DELETED"}.get(
        (was_in, is_in), ""
    )


def _line(kind: str, thing: str) -> bytes:
    return f'{{"type":"{kind}","object":{thing}}}\n'.encode()


def _bookmark(resource: Resource, version: int, annotations: Mapping[str, str]) -> bytes:
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return _line(
        "BOOKMARK", json.dumps({"kind": resource.kind, "apiVersion": resource.api, "metadata": metadata})
    )


async def _stream(source: AsyncGenerator[bytes], media: str, receive: Receive, send: Send) -> None:
    """Send an answer bit by bit, until its end or the client's. The headers go at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media.encode())]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    sending = asyncio.create_task(_send_all(source, send))
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
            await send({"type": "http.response.body", "body": b""})
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_all(source: AsyncGenerator[bytes], send: Send) -> None:
    async for chunk in source:
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def new_node(name: str) -> Object:
    """Make the node: large enough for what tests ask for."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": times.now()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": times.now(),
            "labels": {"kubernetes.io/hostname": name},
        },
        "spec": {},
        "status": {"capacity": room, "allocatable": room, "conditions": [ready]},
    }
