"""Deliver a payload to a server as its forge would: signed as GitHub signs, under an id of its own.

Source: docs.github.com, "Webhook events and payloads" (headers), "Validating webhook deliveries" (signature).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2

from conductor.errors import RefusedError, UnreachableError, UsageError

PATIENCE = timedelta(seconds=10)
_DENIED = (401, 403)
_MISPLACED = 404
_BAD = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where deliveries go, and what signs them. `forge` is the last part of the address: `github`, `folder`."""

    server: str
    forge: str
    secret: str = field(repr=False)

    @property
    def address(self) -> str:
        """The address that takes them."""
        return f"{self.server.rstrip('/')}/webhooks/{self.forge}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server said to a delivery."""

    delivery: str
    status: int


async def deliver(
    to: Destination, body: bytes, *, event: str, delivery: str = "", patience: timedelta = PATIENCE
) -> Answer:
    """Post one. UnreachableError where no server takes it, RefusedError where it refuses the signature.

    `delivery` is the id of an earlier one that is to be sent again; without it there is a fresh one.
    """
    name = delivery or str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "conductor-deliver",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": name,
        "X-Hub-Signature-256": sign(to.secret, body),
    }
    try:
        async with httpx2.AsyncClient(timeout=patience.total_seconds()) as client:
            answered = await client.post(to.address, content=body, headers=headers)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise UsageError(
            f"{to.server!r} is no address of a server", remedy="Write https://HOST or http://HOST:PORT."
        ) from error
    except httpx2.HTTPError as error:
        raise UnreachableError(
            f"{to.server} does not answer: {error or type(error).__name__}",
            remedy="See that `conductor serve` runs there.",
        ) from error
    _refuse(to, answered.status_code)
    return Answer(delivery=name, status=answered.status_code)


def sign(secret: str, body: bytes) -> str:
    """Return the signature of a body.

    >>> sign("It's a Secret to Everybody", b"Hello, World!")
    'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def payloads(lines: Iterable[str], *, repository: str, pusher: str) -> Iterator[tuple[str, bytes]]:
    """Make payloads of what a post-receive hook was told, `OLD NEW COMMIT REF` a line: the ref, and what is to be sent of it.

    `COMMIT` is what NEW leads to, `-` where it leads to none.
    """
    for line in lines:
        before, after, commit, ref = line.rstrip("\n").split(" ", 3)
        data = {
            "repository": repository,
            "ref": ref,
            "before": before,
            "after": after,
            "commit": None if commit == "-" else commit,
            "pusher": pusher,
        }
        yield ref, json.dumps(data).encode()


def _refuse(to: Destination, status: int) -> None:
    if status in _DENIED:
        raise RefusedError(
            f"{to.address} refuses the signature ({status})",
            remedy="The secret must be the one that the server has for this forge.",
        )
    if status == _MISPLACED:
        raise RefusedError(
            f"{to.server} takes no deliveries of {to.forge} (404)",
            remedy="See that the server is set up for this forge.",
        )
    if status >= _BAD:
        raise UnreachableError(
            f"{to.address} did not take the delivery ({status})", remedy="Send it again later."
        )
