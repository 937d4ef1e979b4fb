"""Who we are to a registry: the dance of challenge and token (distribution, "Token Authentication Specification"), or basic.

Law: a password goes to the registry and to the token server that the registry names, over TLS unless the registry itself has none; a
token goes to the registry only.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from conductor.adapters.registries.exchange import Answer, Exchange, basic, place
from conductor.errors import RefusedError, UnreachableError
from conductor.ports.registry import Credentials

_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"]*)"')
_USUAL_SECONDS = 60
"""How long a token lives that does not say so."""
_MARGIN_SECONDS = 10
_REMEDY_OF_LOGIN = "See whether CONDUCTOR_REGISTRY_USER and CONDUCTOR_REGISTRY_PASSWORD are right and the account is not locked."


class Tokens:
    """Answers challenges, and remembers what it was given for as long as it is good."""

    def __init__(
        self,
        exchange: Exchange,
        login: Credentials | None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._login = login
        self._now = now
        self._known: dict[str, tuple[str, float]] = {}
        self._basic = False

    def header(self, scope: str) -> dict[str, str]:
        """Return what is known to open a scope already; empty before the first challenge."""
        if self._basic and self._login:
            return basic(self._login)
        token, until = self._known.get(scope, ("", 0.0))
        return {"Authorization": f"Bearer {token}"} if token and self._now() < until else {}

    async def meet(self, refusal: Answer, scope: str, *, said: bool = False) -> bool:
        """Answer the challenge of a 401; tell whether it is worth asking again. RefusedError where the password is wrong.

        `said` is that the request did say who asks: of several at once only the first learns that it has to be said.
        """
        scheme, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic":
            worth = self._login is not None and not said
            self._basic = self._login is not None
            return worth
        if scheme.lower() != "bearer":
            return False
        parameters = {key.lower(): value for key, value in _PARAMETER.findall(rest)}
        had = bool(self._known.pop(scope, None))
        if had and parameters.get("error") == "insufficient_scope":
            return False
        await self._fetch(refusal.url, parameters, scope)
        return True

    async def _fetch(self, registry: str, parameters: Mapping[str, str], scope: str) -> None:
        realm = parameters.get("realm", "")
        _check_realm(registry, realm)
        asked = {"service": parameters["service"]} if parameters.get("service") else {}
        if scope:
            asked["scope"] = scope
        if self._login:
            asked |= {"account": self._login.username, "client_id": "conductor"}
        headers = basic(self._login) if self._login else None
        answer = await self._exchange.ask("GET", realm, params=asked, headers=headers)
        if not answer.ok:
            raise RefusedError(
                f"logging in at {place(realm)}: answered {answer.status}{_said(answer)}",
                remedy=_REMEDY_OF_LOGIN,
            )
        token, seconds = _token(answer)
        self._known[scope] = (token, self._now() + seconds)


def _token(answer: Answer) -> tuple[str, float]:
    told: Any = answer.json()
    token = told.get("token") or told.get("access_token") if isinstance(told, dict) else None
    if not isinstance(token, str):
        raise UnreachableError(f"{place(answer.url)} gave no token", remedy="See whether it is a registry.")
    lives = told.get("expires_in")
    seconds = lives if isinstance(lives, int) and lives > 0 else _USUAL_SECONDS
    return token, max(1.0, seconds - _MARGIN_SECONDS)


def _check_realm(registry: str, realm: str) -> None:
    scheme = urlsplit(realm).scheme
    if scheme == "https" or (scheme == "http" and urlsplit(registry).scheme == "http"):
        return
    raise RefusedError(
        f"{place(registry)} sends passwords to {place(realm) or 'nowhere'} without TLS",
        remedy="Give the registry's token server an address that begins with https.",
    )


def _said(answer: Answer) -> str:
    return f": {answer.words()}" if answer.words() else ""


def refusal(doing: str, answer: Answer, *, remedy: str = "") -> RefusedError:
    """Say that a registry does not let us."""
    wrong = answer.status == HTTPStatus.UNAUTHORIZED
    return RefusedError(
        f"{doing}: {place(answer.url)} answered {answer.status}{_said(answer)}",
        remedy=remedy or (_REMEDY_OF_LOGIN if wrong else _REMEDY_OF_RIGHTS),
    )


_REMEDY_OF_RIGHTS = (
    "Give the account of CONDUCTOR_REGISTRY_USER the rights that docs/howto/use-a-registry.md lists."
)
