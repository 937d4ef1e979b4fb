"""A Loki to test with, made from its documentation ("Loki HTTP API"): it takes pushes, and answers range queries of label matchers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class FakeLoki:
    """Streams by their labels; `answers` are statuses that the next pushes get instead of being taken."""

    streams: dict[tuple[tuple[str, str], ...], dict[tuple[int, str], None]] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    pushes: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ready", lambda _: PlainTextResponse("ready")),
                Route("/loki/api/v1/push", self._push, methods=["POST"]),
                Route("/loki/api/v1/query_range", self._query),
            ]
        )

    def lines(self, **labels: str) -> list[str]:
        """Return what is in the streams that bear these labels, in the order of time."""
        found = [
            entry
            for key, entries in self.streams.items()
            if labels.items() <= dict(key).items()
            for entry in entries
        ]
        return [text for _, text in sorted(found, key=lambda one: one[0])]

    async def _push(self, request: Request) -> Response:
        self.pushes += 1
        if self.answers:
            return PlainTextResponse("not now", status_code=self.answers.pop(0))
        body = await request.json()
        for stream in body["streams"]:
            if wrong := _wrong(stream):
                return PlainTextResponse(wrong, status_code=400)
        for stream in body["streams"]:
            entries = self.streams.setdefault(tuple(sorted(stream["stream"].items())), {})
            entries.update({(int(at), text): None for at, text in stream["values"]})
        return Response(status_code=204)

    async def _query(self, request: Request) -> Response:
        wanted = {
            name: value.replace(r"\"", '"') for name, value in _MATCHER.findall(request.query_params["query"])
        }
        found = [
            {"stream": dict(key), "values": [[str(at), text] for at, text in sorted(entries)]}
            for key, entries in self.streams.items()
            if wanted.items() <= dict(key).items()
        ]
        return JSONResponse(
            {"status": "success", "data": {"resultType": "streams", "result": found, "stats": {}}}
        )


def _wrong(stream: dict[str, Any]) -> str:
    if not stream["stream"] or not all(_LABEL.fullmatch(name) for name in stream["stream"]):
        return "error at least one label pair is required per stream"
    if not all(
        isinstance(at, str) and at.isdecimal() and isinstance(text, str) for at, text in stream["values"]
    ):
        return "couldn't parse push request: times are strings of nanoseconds"
    return ""
