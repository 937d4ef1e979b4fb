"""As whom GitHub is asked: the App itself, its installation at a repository with no more rights than needed, or a token.

Law: a token of an installation reaches one repository and has the permissions of its use; it is renewed before it ends. Source:
docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App", "Create an installation access token for an app".
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from conductor.adapters.github.exchange import Exchange
from conductor.adapters.github.problems import refusal, words
from conductor.adapters.github.site import App, GitHubSite
from conductor.errors import NotFoundError, RefusedError

_JWT_LIFE = timedelta(minutes=9)
"""GitHub takes ten at most, and clocks differ."""
_BACKDATED = timedelta(seconds=60)
_RENEW_BEFORE = timedelta(minutes=10)
_KEPT_TOKENS = 2000
_NUMBERED = re.compile(r"/repositories/(\d+)/")


class Use(Enum):
    """What a token of an installation is for, with the permissions that it gets."""

    READ = "read"
    TELL = "tell"
    CLONE = "clone"
    PUSH = "push"
    WORKFLOWS = "workflows"
    SECRETS = "secrets"
    LIST = "list"

    @property
    def permissions(self) -> Mapping[str, str]:
        """As GitHub's API names them."""
        return _PERMISSIONS[self]


_PERMISSIONS: Mapping[Use, Mapping[str, str]] = {
    Use.READ: {"contents": "read", "pull_requests": "read", "metadata": "read"},
    Use.TELL: {"checks": "write", "issues": "write", "metadata": "read"},
    Use.CLONE: {"contents": "read", "metadata": "read"},
    Use.PUSH: {"contents": "write", "metadata": "read"},
    Use.WORKFLOWS: {"actions": "write", "metadata": "read"},
    Use.SECRETS: {"secrets": "read", "environments": "read", "metadata": "read"},
    Use.LIST: {"metadata": "read"},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A credential: the header, and a name for it that is no secret."""

    header: str = field(repr=False)
    who: str


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expires_at: datetime


class Credentials:
    """Gives what to ask with."""

    def __init__(self, site: GitHubSite, exchange: Exchange) -> None:
        self._site = site
        self._exchange = exchange
        self._key = load_key(site.app.private_key) if site.app else None
        self._jwt: _Token | None = None
        self._installations: OrderedDict[str, int] = OrderedDict()
        self._renamed: dict[str, int] = {}
        """Numbers of repositories that GitHub knows by another name now: a token is asked for by that."""
        self._tokens: OrderedDict[tuple[str, Use], _Token] = OrderedDict()
        self._turns: defaultdict[tuple[str, Use], asyncio.Lock] = defaultdict(asyncio.Lock)

    def of_app(self) -> Identity:
        """Be the App itself; RefusedError where there is only a token."""
        if self._site.app is None or self._key is None:
            raise RefusedError(
                "asking as a GitHub App: there is only a token", remedy="Set CONDUCTOR_GITHUB_APP_ID."
            )
        now = self._exchange.now()
        if self._jwt is None or self._jwt.expires_at - now < timedelta(minutes=1):
            self._jwt = _Token(signed_jwt(self._key, self._site.app, now), now - _BACKDATED + _JWT_LIFE)
        return Identity(f"Bearer {self._jwt.value}", "app")

    def of_token(self) -> Identity:
        """Be whose token it is."""
        return Identity(f"Bearer {self._site.token}", "token")

    async def at(self, repository: str, use: Use) -> Identity:
        """Be who may do that at one repository. NotFoundError where the App is not installed, RefusedError where a permission lacks."""
        token = await self.token(repository, use)
        who = f"installation/{self._installations.get(repository.lower(), 0)}" if self._site.app else "token"
        return Identity(f"Bearer {token}", who)

    async def token(self, repository: str, use: Use) -> str:
        """Return the token itself, for git."""
        if self._site.app is None:
            return self._site.token
        key = (repository.lower(), use)
        async with self._turns[key]:
            known = self._tokens.get(key)
            if known is None or known.expires_at - self._exchange.now() < _RENEW_BEFORE:
                known = await self._made(repository, use)
                self._tokens[key] = known
                while len(self._tokens) > _KEPT_TOKENS:
                    self._turns.pop(self._tokens.popitem(last=False)[0], None)
            return known.value

    async def of_installation(self, installation: int) -> Identity:
        """Be a whole installation, for its list of repositories and nothing else."""
        token = await self._ask_token(installation, {"permissions": dict(Use.LIST.permissions)}, "")
        return Identity(f"Bearer {token.value}", f"installation/{installation}")

    def forget(self, repository: str, use: Use) -> None:
        """Let go of a token that GitHub no longer takes."""
        self._tokens.pop((repository.lower(), use), None)
        self._installations.pop(repository.lower(), None)
        self._renamed.pop(repository.lower(), None)

    async def _made(self, repository: str, use: Use) -> _Token:
        try:
            return await self._ask_for(repository, use)
        except NotFoundError:
            if self._installations.pop(repository.lower(), None) is None:
                raise
        return await self._ask_for(repository, use)

    async def _ask_for(self, repository: str, use: Use) -> _Token:
        installation = await self._installation(repository)
        number = self._renamed.get(repository.lower())
        one = {"repository_ids": [number]} if number else {"repositories": [repository.split("/", 1)[1]]}
        return await self._ask_token(installation, {**one, "permissions": dict(use.permissions)}, repository)

    async def _installation(self, repository: str) -> int:
        known = self._installations.get(repository.lower())
        if known is not None:
            return known
        me = self.of_app()
        answer = await self._exchange.ask(
            "GET", f"/repos/{repository}/installation", authorization=me.header, who=me.who
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(
                f"the GitHub App is not installed for {repository}",
                remedy=f"Install it: open {self._site.web}/settings/apps, or ask an owner of the organisation to.",
            )
        if not answer.ok:
            raise refusal(answer)
        if moved := _NUMBERED.search(answer.at):
            self._renamed[repository.lower()] = int(moved[1])
        self._installations[repository.lower()] = int(answer.data["id"])
        return self._installations[repository.lower()]

    async def _ask_token(self, installation: int, wanted: Mapping[str, object], repository: str) -> _Token:
        me = self.of_app()
        answer = await self._exchange.ask(
            "POST",
            f"/app/installations/{installation}/access_tokens",
            authorization=me.header,
            who=me.who,
            data=wanted,
            repeat=True,
        )
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            asked = ", ".join(f"{name}: {level}" for name, level in dict(wanted["permissions"]).items())  # type: ignore[call-overload]
            raise RefusedError(
                f"asking for a token for {repository or 'an installation'}: {words(answer.body)}",
                remedy=f"The App needs the permissions {asked}: give them to it, and accept them where it is installed. "
                "docs/howto/connect-github.md says what each is for.",
            )
        if not answer.ok:
            raise refusal(answer)
        told = answer.data
        return _Token(str(told["token"]), datetime.fromisoformat(str(told["expires_at"])))


def load_key(pem: str) -> RSAPrivateKey:
    """Read the private key of an App. ValueError where it is none; the text is in no error."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is no private key in PEM format") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("it is a key, but no RSA key")  # noqa: TRY004 -- the value is wrong, not a type of ours
    return key


def signed_jwt(key: RSAPrivateKey, app: App, now: datetime) -> str:
    """Make the token with which the App speaks for itself (RFC 7519, RS256)."""
    issued = int((now - _BACKDATED).timestamp())
    claims = {"iat": issued, "exp": issued + int(_JWT_LIFE.total_seconds()), "iss": app.id}
    signing = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = key.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing}.{_base64(signature)}"


def _part(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
