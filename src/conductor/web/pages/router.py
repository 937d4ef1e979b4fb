"""All pages as one router."""

from __future__ import annotations

from fastapi import APIRouter

from conductor.web.pages import entrance, logs, runs

router = APIRouter(include_in_schema=False)
for _module in (entrance, logs, runs):
    router.include_router(_module.router)
