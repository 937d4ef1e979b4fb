"""What GitHub's deliveries ask for. Pure. Source: docs.github.com, "Webhook events and payloads", "Validating webhook deliveries".

Law: a payload is data of strangers. Fields that are not known are left alone, events that are not known ask for nothing, and a payload that
is not as GitHub writes it asks for nothing too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from conductor.adapters.github.site import is_repository
from conductor.domain.delivery import (
    CommandGiven,
    Delivery,
    Nothing,
    RerunAsked,
    TagPushed,
    Verb,
    Wish,
    WorkflowEnded,
)

RERUN_FAILED = "rerun-failed"
"""The identifier of our button."""
TRIGGERS = frozenset({"push", "check_run", "check_suite", "issue_comment"})
"""Events that can start something."""
_TAGS, _HEADS = "refs/tags/", "refs/heads/"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OURS = re.compile(r"([a-z0-9-]{1,40})/(\d{1,6})")
_COMMAND = re.compile(r"/conductor[ \t]+([a-z]+)(?:[ \t]+(\S{1,20}))?[ \t]*")
_PERIOD = re.compile(r"(\d{1,5})(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_FENCE = re.compile(r" {0,3}(```|~~~)")

Payload = Mapping[str, Any]


class _OtherShapeError(Exception):
    """It is not as GitHub writes it."""


def is_signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Tell whether one of the secrets signed it, in constant time.

    >>> known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    >>> is_signed(b"Hello, World!", known, ("another", "It's a Secret to Everybody"))
    True
    """
    given = signature.encode(errors="replace")
    matches = [
        hmac.compare_digest(
            b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode(), given
        )
        for secret in secrets
        if secret
    ]
    return any(matches)


def read(delivery: Delivery) -> Wish:
    """Tell what is wished for."""
    reader = _READERS.get(delivery.event)
    if reader is None:
        return Nothing(why=f"nothing is done for {delivery.event[:50]!r}")
    try:
        payload = json.loads(delivery.body)
        return reader(_mapping(payload))
    except (ValueError, RecursionError, _OtherShapeError) as error:
        return Nothing(
            why=f"the payload of this {delivery.event} is not as GitHub writes it: {str(error)[:200]}"
        )


def _push(payload: Payload) -> Wish:
    ref = _text(payload, "ref")
    if not ref.startswith(_TAGS):
        return Nothing(why="a branch was pushed: tags start runs")
    tag = ref.removeprefix(_TAGS)
    if payload.get("deleted"):
        return Nothing(why=f"the tag {tag[:100]} was deleted")
    head = payload.get("head_commit")
    if not isinstance(head, Mapping):
        return Nothing(why=f"the tag {tag[:100]} leads to no commit")
    base = payload.get("base_ref")
    return TagPushed(
        repository=_repository(payload),
        tag=tag,
        commit=_commit(head, "id"),
        branch=base.removeprefix(_HEADS) if isinstance(base, str) and base.startswith(_HEADS) else "",
        sender=_sender(payload),
    )


def _check_run(payload: Payload) -> Wish:
    action = _text(payload, "action")
    pressed = _mapping(payload.get("requested_action") or {}).get("identifier")
    if action not in ("rerequested", "requested_action"):
        return Nothing(why=f"nothing is done for a check that is {action[:50]}")
    if action == "requested_action" and pressed != RERUN_FAILED:
        return Nothing(why="it is a button of another's")
    check = _mapping(payload.get("check_run"))
    found = _OURS.fullmatch(str(check.get("external_id") or ""))
    if found is None:
        return Nothing(why="the check is another's")
    return RerunAsked(
        repository=_repository(payload),
        run=found[1],
        commit=_commit(check, "head_sha"),
        sender=_sender(payload),
        failed_only=action == "requested_action",
    )


def _check_suite(payload: Payload) -> Wish:
    if payload.get("action") != "rerequested":
        return Nothing(why="nothing is done for this action of a check suite")
    suite = _mapping(payload.get("check_suite"))
    return RerunAsked(
        repository=_repository(payload),
        run="",
        commit=_commit(suite, "head_sha"),
        sender=_sender(payload),
    )


def _issue_comment(payload: Payload) -> Wish:
    if payload.get("action") != "created":
        return Nothing(why="only a new comment gives a command")
    comment, issue = _mapping(payload.get("comment")), _mapping(payload.get("issue"))
    writers = (_mapping(payload.get("sender")), _mapping(comment.get("user") or {}))
    if any(one.get("type") == "Bot" for one in writers) or comment.get("performed_via_github_app"):
        return Nothing(why="a program wrote it")
    found = next(_commands(str(comment.get("body") or "")), None)
    if found is None:
        return Nothing(why="the comment gives no command")
    verb, word = found
    if verb not in frozenset(Verb):
        return Nothing(why=f"there is no command {verb[:20]!r}")
    keep_for = _period(word) if verb == Verb.KEEP else None
    understood = not word or keep_for or (verb == Verb.RERUN and word == "failed")
    if not understood:
        return Nothing(why=f"what {word!r} means after {verb!r} is not known")
    return CommandGiven(
        repository=_repository(payload),
        issue=_number(issue, "number"),
        is_pull_request=bool(issue.get("pull_request")),
        sender=_sender(payload),
        verb=Verb(verb),
        failed_only=verb == Verb.RERUN and word == "failed",
        keep_for=keep_for,
        comment=_number(comment, "id"),
    )


def _workflow_run(payload: Payload) -> Wish:
    if payload.get("action") != "completed":
        return Nothing(why="the workflow has not ended")
    ended = _mapping(payload.get("workflow_run"))
    conclusion = str(ended.get("conclusion") or "")
    return WorkflowEnded(
        repository=_repository(payload), workflow=_number(ended, "id"), conclusion=conclusion[:50]
    )


def _ping(payload: Payload) -> Wish:
    del payload
    return Nothing(why="GitHub can reach this server")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Find commands on lines of their own, outside of code."""
    in_code = False
    for line in body.splitlines():
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code and (found := _COMMAND.fullmatch(line)):
            yield found[1], found[2] or ""


def _period(word: str) -> timedelta | None:
    """Read `24h`, `90m`, `2d`.

    >>> _period("24h"), _period("0h"), _period("soon")
    (datetime.timedelta(days=1), None, None)
    """
    found = _PERIOD.fullmatch(word)
    return (int(found[1]) * _UNITS[found[2]] or None) if found else None


def _mapping(value: Any) -> Payload:
    if not isinstance(value, Mapping):
        raise _OtherShapeError("an object is missing")
    return value


def _text(payload: Payload, key: str) -> str:
    value = payload.get(key)
    if not isinstance(value, str):
        raise _OtherShapeError(f"{key} is no text")
    return value


def _number(payload: Payload, key: str) -> int:
    value = payload.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _OtherShapeError(f"{key} is no number")
    return value


def _commit(payload: Payload, key: str) -> str:
    value = _text(payload, key)
    if not _COMMIT.fullmatch(value):
        raise _OtherShapeError(f"{key} is no commit")
    return value


def _repository(payload: Payload) -> str:
    name = _text(_mapping(payload.get("repository")), "full_name")
    if not is_repository(name):
        raise _OtherShapeError("full_name is no name of a repository")
    return name


def _sender(payload: Payload) -> str:
    return _text(_mapping(payload.get("sender") or {"login": ""}), "login")


_READERS: Mapping[str, Callable[[Payload], Wish]] = {
    "push": _push,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "issue_comment": _issue_comment,
    "workflow_run": _workflow_run,
    "ping": _ping,
}
