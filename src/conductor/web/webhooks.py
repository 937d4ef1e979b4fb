"""Deliveries of forges: the signature over the raw bytes, stored, answered; everything else happens later.

Law: what was answered with 2xx is stored. The same delivery again is answered 2xx too, and changes nothing.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from conductor.domain.delivery import Delivery
from conductor.operations.intake import receive
from conductor.operations.serving import INTAKE
from conductor.web.problems import HttpProblem
from conductor.web.site import Site, site_of

router = APIRouter(tags=["webhooks"])
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_EVENT = re.compile(r"[a-z0-9_.-]{1,100}")


class Taken(BaseModel):
    """What became of a delivery."""

    id: str = Field(examples=["72d3162e-cc78-11e3-81ab-4c9367dc0958"])
    is_new: bool = Field(description="False: it had come before, and nothing was changed.")


@router.post(
    "/webhooks/{hosting}",
    operation_id="deliver",
    status_code=202,
    response_model=Taken,
    responses={200: {"model": Taken, "description": "It had come before."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def deliver(
    *,
    hosting: str,
    request: Request,
    site: Annotated[Site, Depends(site_of)],
    x_github_delivery: Annotated[str, Header(description="The forge's own id of the delivery.")] = "",
    x_github_event: Annotated[str, Header(description="`push`, `issue_comment`, ...")] = "",
    x_hub_signature_256: Annotated[str, Header(description="`sha256=` and the HMAC of the body.")] = "",
) -> JSONResponse:
    """Take a delivery of a forge, signed with the secret that it shares with this server."""
    forge = site.service.hostings.get(hosting)
    if forge is None:
        raise HttpProblem(404, f"no forge {hosting!r} delivers here", remedy="See the server's settings.")
    body = await request.body()
    if not forge.verify(body, x_hub_signature_256):
        raise HttpProblem(
            401,
            "the signature does not fit the body",
            remedy="Set the same secret on the forge's webhook and on the server.",
            headers={"WWW-Authenticate": 'Signature realm="conductor"'},
        )
    if not _ID.fullmatch(x_github_delivery) or not _EVENT.fullmatch(x_github_event):
        raise HttpProblem(400, "a delivery has an id and an event", remedy="Send both headers.")
    delivery = Delivery(
        id=x_github_delivery,
        hosting=hosting,
        event=x_github_event,
        body=body,
        received_at=site.world.clock.now(),
    )
    is_new = await receive(site.service, delivery)
    site.state.ring(INTAKE)
    return JSONResponse({"id": delivery.id, "is_new": is_new}, status_code=202 if is_new else 200)
