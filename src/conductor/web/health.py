"""Whether the server lives, and whether it can do its work: for whoever restarts it, and whoever sends it requests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from conductor.errors import ConductorError
from conductor.web.site import Site, site_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How it is."""

    ok: bool = Field(examples=[True])
    why: str = Field(default="", description="What is in the way; empty where nothing is.")


@router.get("/healthz", operation_id="health", response_model=Health)
async def health() -> Health:
    """Tell that the process answers."""
    return Health(ok=True)


@router.get(
    "/readyz",
    operation_id="readiness",
    response_model=Health,
    responses={503: {"model": Health, "description": "It cannot do its work now."}},
)
async def readiness(site: Annotated[Site, Depends(site_of)]) -> JSONResponse:
    """Tell whether it takes requests: it is not about to stop, and its records answer."""
    why = "it is about to stop" if site.state.is_stopping else await _trouble(site)
    return JSONResponse({"ok": not why, "why": why}, status_code=503 if why else 200)


async def _trouble(site: Site) -> str:
    try:
        await site.service.queue.is_draining()
    except ConductorError:
        return "the records do not answer"
    return ""
