"""Signing in and out, and the files that pages are drawn with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import FileResponse, RedirectResponse

from conductor.operations import access
from conductor.web.pages import session
from conductor.web.pages.rendering import STATIC_FOLDER, PageRoute, render
from conductor.web.pages.session import Form, fields, next_of
from conductor.web.problems import HttpProblem
from conductor.web.site import Reader, Site, site_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LONGEST_TOKEN = 200
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
async def front(caller: Reader) -> RedirectResponse:  # noqa: ARG001 -- it is for those who are signed in
    """Lead to the runs."""
    return RedirectResponse("/runs", status_code=303)


@router.get("/sign-in")
async def ask(request: Request, after: Next = "/runs", hop: bool = False) -> Response:  # noqa: FBT001, FBT002 -- a flag in an address
    """Ask for a token; or come again, where a link of another site led here."""
    return render(request, "sign_in.html", after=next_of(after), hop=hop, wrong="")


@router.post("/sign-in")
async def sign_in(request: Request, site: Annotated[Site, Depends(site_of)]) -> Response:
    """Take a token and keep it in the browser."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HttpProblem(403, "another site cannot sign anybody in here", remedy="Open /sign-in itself.")
    form = await fields(request)
    after, text = next_of(form.get("next")), form.get("token", "").strip()[:_LONGEST_TOKEN]
    token = await access.verify(site.service.access, text, now=site.world.clock.now())
    if token is None:
        wrong = "This token opens nothing: it is unknown, revoked or over."
        return render(request, "sign_in.html", status=401, after=after, hop=False, wrong=wrong)
    response = RedirectResponse(after, status_code=303)
    session.remember(response, text, secure=_is_secure(request, site))
    return response


@router.post("/sign-out")
async def sign_out(caller: Reader, form: Form) -> RedirectResponse:  # noqa: ARG001 -- both are looked at on the way in
    """Forget it again."""
    response = RedirectResponse(session.SIGN_IN, status_code=303)
    session.forget(response)
    return response


@router.get("/static/{asset}")
async def static(asset: str) -> FileResponse:
    """Give a file of our own."""
    path = STATIC_FOLDER / asset
    if path.suffix not in _KINDS or path.parent != STATIC_FOLDER or not path.is_file():
        raise HttpProblem(404, "there is no such file")
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=kept)


def _is_secure(request: Request, site: Site) -> bool:
    return request.url.scheme == "https" or site.service.policy.public_url.startswith("https://")
