"""What the hook of a bare repository sends: one tag that was pushed, signed as GitHub signs. `conductor deliver` writes it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from conductor.adapters.folder.refs import FULL_ID, TAGS

_NOTHING = "0"
"""Git's id of what is not there is all of these."""
_LONGEST_NAME = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """One ref as it was pushed. `commit` is what it leads to; None where it was deleted, or leads to no commit."""

    repository: str
    ref: str
    commit: str | None
    pusher: str

    @property
    def tag(self) -> str | None:
        """The name of the tag that was pushed; None for any other ref."""
        return self.ref.removeprefix(TAGS) if self.ref.startswith(TAGS) else None


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Tell whether `sha256=...` is the body's HMAC-SHA256, in constant time (docs.github.com, Validating webhook deliveries)."""
    made = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(made.encode(), signature.encode(errors="replace"))


def read_push(body: bytes) -> Push | str:
    """Read a payload; a text says what is wrong with it."""
    try:
        data = json.loads(body)
    except ValueError:
        return "the payload is no JSON"
    if not isinstance(data, dict):
        return "the payload is no object"
    repository, ref, after = data.get("repository"), data.get("ref"), data.get("after")
    if not (_is_name(repository) and _is_name(ref) and isinstance(after, str) and FULL_ID.fullmatch(after)):
        return "the payload names no repository, ref and commit"
    commit, pusher = data.get("commit"), data.get("pusher")
    is_there = isinstance(commit, str) and FULL_ID.fullmatch(commit) and after.strip(_NOTHING)
    return Push(
        repository=str(repository),
        ref=str(ref),
        commit=str(commit) if is_there else None,
        pusher=pusher[:_LONGEST_NAME] if isinstance(pusher, str) and is_text(pusher) else "",
    )


def is_text(name: str) -> bool:
    """Tell whether a name can be written: git takes bytes of any kind, records take Unicode."""
    return not any("\ud800" <= character <= "\udfff" or character == "\0" for character in name)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and is_text(value)
