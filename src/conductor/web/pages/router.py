"""All pages as one router."""

from __future__ import annotations

from fastapi import APIRouter

from conductor.web.pages import entrance, environments, logs, repositories, runs, server, stacks

router = APIRouter(include_in_schema=False)
for _module in (entrance, runs, logs, stacks, environments, repositories, server):
    router.include_router(_module.router)
