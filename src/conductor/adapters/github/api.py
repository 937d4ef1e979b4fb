"""Questions about one repository, asked with no more rights than they need; and the App's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from conductor.adapters.github.credentials import Credentials, Identity, Use
from conductor.adapters.github.exchange import MOST_PAGES, Answer, Exchange, pages
from conductor.adapters.github.problems import refusal
from conductor.adapters.github.site import is_repository
from conductor.errors import NotFoundError, UnreachableError


class Api:
    """What the parts of this adapter ask with."""

    def __init__(self, exchange: Exchange, credentials: Credentials) -> None:
        self.exchange = exchange
        self.credentials = credentials

    async def get(
        self, repository: str, path: str, *, params: Mapping[str, str] | None = None, use: Use = Use.READ
    ) -> Any:
        """Read something below a repository. NotFoundError where it is not there."""
        return _good(await self._ask(repository, "GET", path, use=use, params=params)).data

    async def find(
        self, repository: str, path: str, *, params: Mapping[str, str] | None = None
    ) -> Any | None:
        """Read something below a repository; None where it is not there."""
        answer = await self._ask(repository, "GET", path, use=Use.READ, params=params)
        gone = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
        return None if answer.status in gone else _good(answer).data

    async def tell(self, repository: str, method: str, path: str, data: Mapping[str, Any] | None) -> Any:
        """Make or change something below a repository."""
        return _good(await self._ask(repository, method, path, use=Use.TELL, data=data)).data

    async def post(self, repository: str, path: str, data: Mapping[str, Any] | None, *, use: Use) -> Answer:
        """Ask for something to be done, and return the answer whatever it is: a refusal has a meaning there."""
        return await self._ask(repository, "POST", path, use=use, data=data)

    async def all(
        self,
        repository: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        use: Use = Use.READ,
        most: int = MOST_PAGES,
    ) -> AsyncIterator[Any]:
        """Go through the pages of a list below a repository."""

        async def ask(at: str, sent: Mapping[str, str] | None) -> Answer:
            return _good(await self._ask(repository, "GET", at, use=use, params=sent))

        async for page in pages(ask, path, params, most=most):
            yield page

    async def as_app(self, path: str) -> Any:
        """Read something of the App's own."""
        return _good(await self._ask_as(self.credentials.of_app(), "GET", path)).data

    async def as_token(self, path: str) -> Any:
        """Read something of whose token it is."""
        return _good(await self._ask_as(self.credentials.of_token(), "GET", path)).data

    async def all_as(
        self, me: Identity | None, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[Any]:
        """Go through the pages of a list of the App's own (None), or of another identity."""

        async def ask(at: str, sent: Mapping[str, str] | None) -> Answer:
            return _good(await self._ask_as(me or self.credentials.of_app(), "GET", at, sent))

        async for page in pages(ask, path, params):
            yield page

    async def _ask(
        self,
        repository: str,
        method: str,
        path: str,
        *,
        use: Use,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Ask; where GitHub no longer takes a token that we kept, ask once more with a new one."""
        if not is_repository(repository):
            raise NotFoundError(
                f"{repository!r} is no name of a repository", remedy="Write it as OWNER/NAME."
            )
        whole = path if "://" in path else f"/repos/{repository}{path}"
        answer = await self._ask_as(await self.credentials.at(repository, use), method, whole, params, data)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.credentials.forget(repository, use)
            answer = await self._ask_as(
                await self.credentials.at(repository, use), method, whole, params, data
            )
        return answer

    async def _ask_as(
        self,
        me: Identity,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Answer:
        if "://" in path and not self.exchange.is_own(path):
            raise UnreachableError(
                f"{method}: GitHub leads to another server, which gets no credentials of ours"
            )
        return await self.exchange.ask(
            method, path, authorization=me.header, who=me.who, params=params, data=data
        )


def _good(answer: Answer) -> Answer:
    if not answer.ok:
        raise refusal(answer)
    return answer
