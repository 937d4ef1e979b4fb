"""Templates and what they are filled with: every text escaped, one look for times, durations, sizes and verdicts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from conductor.domain.access import Role, Token
from conductor.domain.masking import Masker
from conductor.errors import ConductorError
from conductor.reports import words
from conductor.reports.readable import clean, cut_middle, on_one_line
from conductor.web.headers import PAGE_POLICY
from conductor.web.pages.session import once, proof_of, wants_html
from conductor.web.problems import status_of

STATIC_FOLDER = Path(__file__).parent.parent / "static"
_NEVER = "never"
_mask = Masker()


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> HTMLResponse:
    """Fill a template."""
    token = request.scope.get("state", {}).get("token")
    known = token if isinstance(token, Token) else None
    now = request.app.state.site.world.clock.now()
    text = (
        _templates()
        .get_template(template)
        .render(
            shown,
            visitor=known,
            may_act=known is not None and known.role.includes(Role.RUN),
            proof=proof_of(known) if known else "",
            once=once(),
            path=request.url.path,
            now=now,
        )
    )
    policy = {"Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(text, status_code=status, headers={**policy, **(headers or {})})


class PageRoute(APIRoute):
    """A route whose errors are pages too, for browsers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        answer = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await answer(request)
            except (ConductorError, HTTPException, RequestValidationError) as error:
                if not wants_html(request.headers):
                    raise
                return _failed(request, error)

        return page


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago, roughly; or how long until.

    >>> from datetime import timedelta
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> ago(noon, noon + timedelta(minutes=5)), ago(noon + timedelta(hours=2), noon), ago(noon, noon)
    ('5 min ago', 'in 2 h', 'just now')
    """
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    length = words.duration(abs(round(seconds)) if abs(seconds) < words.MINUTE else abs(seconds) // 60 * 60)
    return f"{length} ago" if seconds > 0 else f"in {length}"


def size(number: int) -> str:
    """Say how large.

    >>> size(812), size(125_000), size(3_400_000)
    ('812 B', '125 kB', '3.4 MB')
    """
    if number < 1000:  # noqa: PLR2004 -- the next unit
        return f"{number} B"
    return f"{number / 1000:.0f} kB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"  # noqa: PLR2004


def moment(at: datetime | None) -> str:
    """Write a time for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else _NEVER


def address(*parts: object) -> str:
    """Make a path of parts that others named; slashes in one stay.

    >>> address("runs", "a b?", "files", "artifacts/x#1.png")
    '/runs/a%20b%3F/files/artifacts/x%231.png'
    """
    return "/" + "/".join(quote(str(part), safe="/") for part in parts)


def safe_link(text: str) -> str:
    """Return an address that a link may lead to: the web's own; empty for all else.

    >>> safe_link("https://x.example/a"), safe_link("javascript:alert(1)")
    ('https://x.example/a', '')
    """
    return text if text.startswith(("https://", "http://")) and text.isprintable() else ""


@cache
def asset(name: str) -> str:
    """Return the address of a file of our own, which changes with its content."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("conductor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        ago=ago,
        size=size,
        moment=moment,
        duration=words.duration,
        clean=clean,
        line=on_one_line,
        cut=cut_middle,
    )
    made.globals.update(words=words, asset=asset, address=address, safe_link=safe_link)
    return made


def _failed(request: Request, error: Exception) -> HTMLResponse:
    if isinstance(error, ConductorError):
        status, message, remedy = status_of(error), error.message, error.remedy
    elif isinstance(error, HTTPException):
        status, message, remedy = error.status_code, str(error.detail), getattr(error, "remedy", "")
    else:
        status, message, remedy = (
            422,
            "the address does not make sense as it stands",
            "Follow a link of a page.",
        )
    return render(request, "failed.html", status=status, message=_mask(message), remedy=_mask(remedy))
