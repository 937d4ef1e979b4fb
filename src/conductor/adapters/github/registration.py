"""`GitHubRegistration`: a GitHub App out of a manifest.

Source: docs.github.com, "Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import httpx2

from conductor.adapters.github.manifest import convert, manifest
from conductor.adapters.github.site import api_of
from conductor.ports.registration import Form, Registered


class GitHubRegistration:
    """Makes Apps at one GitHub; `web` is its address."""

    def __init__(self, web: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._web = web.rstrip("/")
        self._transport = transport

    def form(self, *, server: str, name: str, redirect: str, organization: str, state: str) -> Form:
        """Describe the App: of a person, or of an organization where one is named."""
        owner = f"/organizations/{quote(organization, safe='')}" if organization else ""
        told = {**manifest(server, name), "redirect_url": redirect}
        action = f"{self._web}{owner}/settings/apps/new?{urlencode({'state': state})}"
        return Form(action=action, manifest=json.dumps(told))

    async def redeem(self, code: str) -> Registered:
        """Exchange the code: GitHub does so once, within an hour."""
        made = await convert(code, api=api_of(self._web), transport=self._transport)
        return Registered(
            app_id=made.app_id,
            link=f"{made.link}/installations/new",
            private_key=made.private_key,
            webhook_secret=made.webhook_secret,
        )
