"""Who is let in: whoever shows the stack's token, in a cookie, as a bearer, or once in the address.

Laws. The gate knows a hash of the token, and compares in constant time. What was shown here is never passed on: not the cookie, not
the header, not the address. A page of another site has no use of a visitor's cookie.
Sources: RFC 6265bis (cookie prefixes, SameSite), RFC 6750 (bearer tokens), Fetch Standard (Origin).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl, urlsplit

PARAMETER = "token"
_BEARER = "bearer "


class Answer(Enum):
    """What is done with a request."""

    PASS = auto()
    """It is passed on."""
    REMEMBER = auto()
    """The token was in the address: it goes into a cookie, and the address is asked for again without it."""
    UNKNOWN = auto()
    """No token, or a wrong one."""
    FOREIGN = auto()
    """A page of another site asks, by a visitor's cookie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What a gate judges by: the token's SHA-256, whether visitors come by https, and the hosts of its own stack."""

    digest: bytes
    secure: bool
    hosts: frozenset[str]

    @property
    def cookie(self) -> str:
        """Name the cookie; with https no other host can set one of this name."""
        return "__Host-conductor-gate" if self.secure else "conductor-gate"

    def fits(self, shown: str) -> bool:
        """Tell whether this is the token."""
        found = hashlib.sha256(shown.encode(errors="surrogateescape")).digest()
        return hmac.compare_digest(found, self.digest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What of a request is judged. `target` is its address as it was sent, without host."""

    method: str
    target: str
    authorization: str = ""
    cookies: tuple[str, ...] = ()
    """The `Cookie` headers."""
    origin: str = ""
    fetch_site: str = ""
    """`Sec-Fetch-Site`, which no page can forge: who asks, where a page hides its name and `Origin` is `null`."""


def judge(lock: Lock, shown: Shown) -> Answer:
    """Decide about a request to a host of the stack. A token in the address is taken of `GET` and `HEAD`, which lose nothing by it."""
    if find_token(lock, shown.target):
        return Answer.REMEMBER if shown.method in ("GET", "HEAD") else Answer.UNKNOWN
    if lock.fits(_bearer(shown.authorization)):
        return Answer.PASS
    if not any(lock.fits(value) for name, value in _pairs(shown.cookies) if name == lock.cookie):
        return Answer.UNKNOWN
    return Answer.PASS if _is_own(lock, shown) else Answer.FOREIGN


def find_token(lock: Lock, target: str) -> str:
    """Return the token, where it is in the address; a parameter of that name that is not the token is the service's own."""
    given = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return next((value for name, value in given if name == PARAMETER and lock.fits(value)), "")


def without_token(lock: Lock, target: str) -> str:
    """Take the token out of an address; what is left leads to this host and no other.

    A browser reads `//host`, and the same with a backslash, as the address of another host.
    """
    path, _, query = target.partition("?")
    kept = [part for part in query.split("&") if part and not _holds(lock, part)]
    path = "/" + path.lstrip("/\\")
    return f"{path}?{'&'.join(kept)}" if kept else path


def cookie_for(lock: Lock, token: str) -> str:
    """Write the cookie: for this host alone, of no use to a page's scripts, and for as long as the browser is open."""
    secure = "; Secure" if lock.secure else ""
    return f"{lock.cookie}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"


def kept_cookies(lock: Lock, header: str) -> str:
    """Take the gate's cookie out of a `Cookie` header; the others stay as they are."""
    parts = (part.strip() for part in header.split(";"))
    return "; ".join(part for part in parts if part and part.partition("=")[0].strip() != lock.cookie)


def kept_authorization(lock: Lock, header: str) -> str:
    """Return what of an `Authorization` header is the service's: all, or nothing where it is the gate's."""
    return "" if lock.fits(_bearer(header)) else header


def kept_set_cookie(lock: Lock, header: str) -> str:
    """Keep a service's cookie to its own host: neither the gate's, nor one for the hosts of other stacks. Empty where none is left."""
    pair, *attributes = header.split(";")
    if pair.partition("=")[0].strip() == lock.cookie:
        return ""
    kept = [each for each in attributes if each.partition("=")[0].strip().lower() != "domain"]
    return ";".join([pair, *kept])


def host_of(headers: Iterable[str], routes: Mapping[str, str]) -> str | None:
    """Return the host that a request names, if it is one of the routes'; None also where it names none, or several."""
    named = [header.strip().lower() for header in headers]
    if len(named) != 1:
        return None
    host, colon, port = named[0].partition(":")
    if colon and not port.isdecimal():
        return None
    host = host.removesuffix(".")
    return host if host in routes else None


def _is_own(lock: Lock, shown: Shown) -> bool:
    """Tell whether a page that asks is of this stack; hosts of other stacks are the same site to a browser."""
    if not shown.origin:
        return True
    if shown.origin == "null":
        return shown.fetch_site == "same-origin"
    try:
        return urlsplit(shown.origin).hostname in lock.hosts
    except ValueError:
        return False


def _holds(lock: Lock, part: str) -> bool:
    return any(name == PARAMETER and lock.fits(value) for name, value in parse_qsl(part))


def _bearer(header: str) -> str:
    return header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else ""


def _pairs(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    for header in headers:
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            yield name.strip(), value.strip()
