"""Who looks at a page: a token in a cookie that no script reads and no other site sends; and proof that a form is one of ours.

Laws. The cookie opens pages alone, never the API. A form that changes something carries a proof made from the token's digest, which no
other site knows. Where one goes after signing in is a path of this server.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Annotated
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from conductor.domain.access import Token
from conductor.web.problems import HttpProblem
from conductor.web.site import Reader

COOKIE = "conductor_session"
SIGN_IN = "/sign-in"
STATIC = "/static/"
NO_PAGES = ("/api/", "/mcp", "/metrics", "/webhooks/")
_KEPT_SECONDS = 30 * 24 * 3600
_MOST_FIELDS = 20


def is_page(path: str) -> bool:
    """Tell whether an address is one that people open."""
    return not path.startswith(NO_PAGES)


def wants_html(headers: Headers) -> bool:
    """Tell whether a browser asks that is to show what comes."""
    return "text/html" in headers.get("accept", "")


def token_text(headers: Headers) -> str:
    """Return the token in the cookie; empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")[:4000]).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def remember(response: Response, text: str, *, secure: bool) -> None:
    """Give the browser a token to keep."""
    response.set_cookie(
        COOKIE, text, max_age=_KEPT_SECONDS, httponly=True, samesite="strict", secure=secure, path="/"
    )


def forget(response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")


def to_sign_in(scope: Scope) -> Response:
    """Lead to where one signs in, and back from there.

    Browsers keep a strict cookie to themselves when a link of another site is followed: such a visit is asked to come again by itself.
    """
    query = scope["query_string"].decode(errors="replace")
    wanted = quote(scope["path"], safe="/") + (f"?{query}" if query else "")
    if Headers(scope=scope).get("sec-fetch-site") == "cross-site":
        return RedirectResponse(f"{SIGN_IN}?hop=1&next={quote(wanted, safe='')}", status_code=303)
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", status_code=303)


def next_of(path: str | None) -> str:
    r"""Return where to go on: a path of this server, or its front page.

    >>> next_of("/runs/x?attempt=2"), next_of("//evil.example"), next_of("https://evil.example"), next_of("/\\evil.example")
    ('/runs/x?attempt=2', '/runs', '/runs', '/runs')
    """
    given = path or ""
    leads_away = (
        not given.startswith("/") or given.startswith("//") or "\\" in given or not given.isprintable()
    )
    return "/runs" if leads_away or given.startswith(SIGN_IN) else given


def proof_of(token: Token) -> str:
    """Make what shows that a form came from a page of this visitor's."""
    return hmac.new(token.digest.encode(), b"form", hashlib.sha256).hexdigest()[:32]


def once() -> str:
    """Make a number for a form: sent twice, it is done once."""
    return secrets.token_hex(8)


async def fields(request: Request) -> dict[str, str]:
    """Read a form."""
    body = (await request.body()).decode(errors="replace")
    try:
        return dict(parse_qsl(body, max_num_fields=_MOST_FIELDS, keep_blank_values=True))
    except ValueError:
        return {}


async def proven(request: Request, caller: Reader) -> dict[str, str]:
    """Read a form that changes something. 403 where it bears no proof."""
    form = await fields(request)
    if not hmac.compare_digest(form.get("proof", "").encode(), proof_of(caller.token).encode()):
        raise HttpProblem(
            403, "this form is not one of this server's pages, or an old one", remedy="Load the page again."
        )
    return form


Form = Annotated[dict[str, str], Depends(proven)]
