"""A stage for the API: a server on real records and the fake engine, spoken to in one process, with a token for each kind of caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from conductor.domain.access import Role
from conductor.domain.run import Run
from conductor.operations import access
from conductor.operations.following import Following
from conductor.settings import Settings
from conductor.web.app import create
from tests.scenarios.service_stage import BOUND_SECONDS, SHOP, TAG, Server

API = "/api/v1"
OTHER = "acme/other"


@dataclass
class Api:
    server: Server
    app: FastAPI
    http: httpx2.AsyncClient
    tokens: Mapping[str, str]

    async def ask(
        self,
        verb: str,
        path: str,
        *,
        who: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **said: Any,
    ) -> httpx2.Response:
        given = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        async with asyncio.timeout(BOUND_SECONDS):
            return await self.http.request(verb, path, headers={**given, **(headers or {})}, **said)

    async def get(self, path: str, **said: Any) -> Any:
        answer = await self.ask("GET", API + path, **said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, **said: Any) -> httpx2.Response:
        return await self.ask("POST", API + path, json=body if body is not None else {}, **said)

    async def a_run(self) -> Run:
        """Have a run of the shop that has ended, with its stack kept."""
        _, delivery = self.server.push()
        await self.server.deliver(delivery)
        await self.server.until_quiet()
        return (await self.server.the_run()).run

    async def an_environment(self) -> str:
        """Have a development environment of the shop that is ready, asked for by the token `runner`."""
        made = await self.post("/environments", {"repository": SHOP, "branch": "fix"}, who="runner")
        assert made.status_code == 201, made.text
        name = str(made.json()["environment"]["id"])
        shown = await self.get(f"/environments/{name}?wait=60")
        assert shown["row"]["state"]["status"] == "ready"
        return name


@asynccontextmanager
async def api(
    folder: Path, *, settings: Settings | None = None, streams_end: bool = False, **server: Any
) -> AsyncIterator[Api]:
    plan = "version: 1\ntests: {command: [yarn, test], timeout: 10m}\ncleanup: keep\n"
    async with Server(folder, **{"plan": plan, **server}).launched() as stage:
        tokens = await _tokens(stage)
        following = Following(
            stage.service.world,
            every=timedelta(milliseconds=1),
            patience=timedelta(milliseconds=20),
            is_stopping=lambda: streams_end,
        )
        app = create(stage.service, settings=settings, following=following)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://conductor.test") as http:
            yield Api(stage, app, http, tokens)


async def _tokens(stage: Server) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, role, repositories in (
        ("admin", Role.ADMIN, ()),
        ("runner", Role.RUN, ()),
        ("reader", Role.READ, ()),
        ("shop", Role.RUN, (SHOP,)),
        ("stranger", Role.RUN, (OTHER,)),
        ("strange-admin", Role.ADMIN, (OTHER,)),
    ):
        _, made[name] = await access.create_token(
            stage.service.access, name=name, role=role, repositories=repositories, now=stage.clock.now()
        )
    return made


__all__ = ["API", "OTHER", "SHOP", "TAG", "Api", "api"]
