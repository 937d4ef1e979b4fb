"""Comments of our own: those with our mark that we wrote ourselves. What somebody else writes is no mark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from conductor.adapters.github.api import Api
from conductor.adapters.github.credentials import Use

MARK = "<!-- conductor:"


class OwnComments:
    """Finds them. `app` is the App's id; empty where there is a token."""

    def __init__(self, api: Api, *, app: str) -> None:
        self._api = api
        self._app = app
        self._me: int | None = None
        self._bot = ""

    async def on(self, repository: str, number: int) -> AsyncIterator[Mapping[str, Any]]:
        """Go through those on an issue or pull request, oldest first."""
        path = f"/issues/{number}/comments"
        async for page in self._api.all(repository, path, use=Use.TELL):
            for one in page:
                if await self._is_own(one):
                    yield one

    async def _is_own(self, comment: Mapping[str, Any]) -> bool:
        if MARK not in str(comment.get("body")):
            return False
        user = comment.get("user") or {}
        if self._app:
            app = comment.get("performed_via_github_app")
            if app:
                return self._app in (str(app.get("id")), str(app.get("client_id")))
            return user.get("type") == "Bot" and user.get("login") == await self._login()
        if self._me is None:
            self._me = int((await self._api.as_token("/user"))["id"])
        return bool(user.get("id") == self._me)

    async def _login(self) -> str:
        """Return the login that the App comments as: not every answer says which App wrote a comment."""
        if not self._bot:
            self._bot = f"{(await self._api.as_app('/app'))['slug']}[bot]"
        return self._bot
