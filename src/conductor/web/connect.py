"""Two pages on the operator's own machine, through which a browser makes the App on the forge.

Law: what the forge gives goes to who started this, never onto a page; only a browser that comes back with the state that was sent is heard.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import secrets
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from conductor.errors import ConductorError
from conductor.ports.registration import Registered, Registration

_SAFE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(kw_only=True)
class Connecting:
    """One conversation with a browser. `done` is set with what the forge gave."""

    registration: Registration
    server: str
    name: str
    address: str
    organization: str = ""
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    done: asyncio.Future[Registered] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def app(self) -> Starlette:
        """Make the pages."""
        return Starlette(routes=[Route("/", self._begin), Route("/created", self._created)])

    async def _begin(self, _: Request) -> HTMLResponse:
        form = self.registration.form(
            server=self.server,
            name=self.name,
            redirect=f"{self.address}/created",
            organization=self.organization,
            state=self.state,
        )
        return _page(
            "Connect Conductor",
            f"<p>GitHub shows what the App <b>{html.escape(self.name)}</b> may do, and asks you once more.</p>"
            f'<form method="post" action="{html.escape(form.action)}">'
            f'<input type="hidden" name="manifest" value="{html.escape(form.manifest)}">'
            "<button>Make the App on GitHub</button></form>",
            forms_to=form.action,
        )

    async def _created(self, request: Request) -> HTMLResponse:
        given = request.query_params.get("state", "")
        if not hmac.compare_digest(given.encode(), self.state.encode()):
            return _page(
                "Not asked for", "<p>Begin once more at the address in the terminal.</p>", status=400
            )
        if self.done.done():
            return _page("Done", "<p>Go on in the terminal.</p>")
        try:
            made = await self.registration.redeem(request.query_params.get("code", ""))
        except ConductorError as error:
            said = f"<p>{html.escape(error.message)}</p><p>{html.escape(error.remedy)}</p>"
            return _page("That did not work", said, status=502)
        self.done.set_result(made)
        link = html.escape(made.link)
        return _page("The App is made", f'<p><a href="{link}">Choose the repositories that it sees</a>.</p>')


def _page(title: str, body: str, *, status: int = 200, forms_to: str = "") -> HTMLResponse:
    target = "/".join(forms_to.split("/")[:3]) if forms_to else "'none'"
    headers = {**_SAFE, "Content-Security-Policy": f"default-src 'none'; form-action {target}"}
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width=device-width>"
        f"<title>{title}</title><h1>{title}</h1>{body}\n"
    )
    return HTMLResponse(text, status_code=status, headers=headers)
