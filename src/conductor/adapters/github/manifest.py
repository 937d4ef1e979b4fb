"""How an App is made in the browser: what it asks for, and what GitHub gives for the code that it comes back with.

Source: docs.github.com, "Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from conductor.adapters.github.exchange import Exchange, in_path
from conductor.adapters.github.problems import refusal
from conductor.errors import UsageError

PERMISSIONS: Mapping[str, str] = {
    "contents": "read",
    "issues": "write",
    "checks": "write",
    "pull_requests": "read",
    "actions": "write",
    "secrets": "read",
    "environments": "read",
    "metadata": "read",
}
EVENTS = ("push", "check_run", "check_suite", "issue_comment", "workflow_run")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What GitHub gives for an App that was made: all of it belongs into the server's settings, and is shown once."""

    app_id: str
    slug: str
    link: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def manifest(public_url: str, name: str) -> Mapping[str, Any]:
    """Describe the App: the browser posts it, with the address to come back to."""
    server = public_url.rstrip("/")
    return {
        "name": name[:34],
        "url": server,
        "hook_attributes": {"url": f"{server}/webhooks/github", "active": True},
        "public": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }


async def convert(
    code: str, *, api: str = "https://api.github.com", transport: httpx2.AsyncBaseTransport | None = None
) -> Credentials:
    """Exchange the code of the redirect for the App's credentials: GitHub does so once, within an hour."""
    if not _CODE.fullmatch(code):
        raise UsageError(
            "GitHub's code for the new App is none", remedy="Begin once more: `conductor github connect`."
        )
    exchange = Exchange(api, transport=transport)
    try:
        path = f"/app-manifests/{in_path(code)}/conversions"
        answer = await exchange.ask("POST", path, authorization="", who="manifest")
    finally:
        await exchange.aclose()
    if not answer.ok:
        raise refusal(answer)
    told = answer.data
    return Credentials(
        app_id=str(told["id"]),
        slug=str(told.get("slug") or ""),
        link=str(told["html_url"]),
        private_key=str(told["pem"]),
        webhook_secret=str(told.get("webhook_secret") or ""),
    )
