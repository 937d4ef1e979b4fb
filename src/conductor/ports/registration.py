"""Registration: how a forge gets to know a server, once, by a person in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What the browser posts: the field `manifest` to `action`."""

    action: str
    manifest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """What the forge gives for it, and shows once. `link` is where a person goes on: who installs the App chooses its repositories."""

    app_id: str
    link: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class Registration(Protocol):
    """Law: nothing is made before a person agreed to it on the forge's own page."""

    def form(self, *, server: str, name: str, redirect: str, organization: str, state: str) -> Form:
        """Describe the App to be made. `redirect` is where the browser comes back to, with `code` and `state`."""
        ...

    async def redeem(self, code: str) -> Registered:
        """Exchange the code that the browser came back with. UsageError where it is none, or was used."""
        ...
