"""What the API server says when it says no: `Status` objects in the words of the real one (1.36)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubernetes.fake_api.kinds import Resource

Cause = Mapping[str, str]


class Problem(Exception):  # noqa: N818 -- it becomes an answer
    """A refusal. `retry_after` is in seconds."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            **({"reason": reason} if reason else {}),
            **({"details": details} if details is not None else {}),
            "code": code,
        }


def _details(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    group = {"group": resource.group} if resource.group else {}
    return {**({"name": name} if name else {}), **group, "kind": resource.plural, **more}


def not_found(resource: Resource, name: str) -> Problem:
    return Problem(404, "NotFound", f'{resource.full} "{name}" not found', _details(resource, name))


def no_such_resource() -> Problem:
    return Problem(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> Problem:
    said = f'{resource.full} "{name}" already exists'
    return Problem(409, "AlreadyExists", said, _details(resource, name))


def overtaken(resource: Resource, name: str) -> Problem:
    said = (
        f'Operation cannot be fulfilled on {resource.full} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return Problem(409, "Conflict", said, _details(resource, name))


def other_object(resource: Resource, name: str, what: str, asked: str, found: str) -> Problem:
    said = (
        f'Operation cannot be fulfilled on {resource.kind} "{name}": the {what} in the precondition ({asked}) does not match '
        f"the {what} in record ({found}). The object might have been deleted and then recreated"
    )
    if what != "UID":
        said = said.replace("deleted and then recreated", "modified")
    return Problem(409, "Conflict", said, {**_details(resource, name), "kind": resource.kind})


def apply_conflict(causes: Sequence[tuple[str, str]]) -> Problem:
    """Say who owns what; `causes` are `conflict with "who"` and the field."""
    count = "1 conflict" if len(causes) == 1 else f"{len(causes)} conflicts"
    by_owner: dict[str, list[str]] = {}
    for message, field in causes:
        by_owner.setdefault(message, []).append(field)
    if len(causes) == 1:
        said = f"{causes[0][0]}: {causes[0][1]}"
    else:
        said = "\n".join(
            f"{who}:\n" + "\n".join(f"- {f}" for f in fields) for who, fields in by_owner.items()
        )
        said = said.replace("conflict with", "conflicts with")
    listed = [
        {"reason": "FieldManagerConflict", "message": message, "field": field} for message, field in causes
    ]
    return Problem(409, "Conflict", f"Apply failed with {count}: {said}", {"causes": listed})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> Problem:
    """Say what is wrong with an object; each cause has `field`, `reason` and `message`."""
    lines = [f"{cause['field']}: {cause['message']}" for cause in causes]
    said = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {**_details(resource, name), "kind": resource.kind, "causes": list(causes)}
    return Problem(422, "Invalid", f'{kind} "{name}" is invalid: {said}', details)


def cause(field: str, word: str, text: str) -> Cause:
    """Make one cause: `word` is Required, Invalid, Forbidden or NotSupported.

    >>> cause("spec", "Required", "")["message"]
    'Required value'
    """
    if word == "Forbidden":
        return {"reason": "FieldValueForbidden", "message": f"Forbidden: {text}", "field": field}
    said = f"{word} value"
    return {"reason": f"FieldValue{word}", "message": f"{said}: {text}" if text else said, "field": field}


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Cause] = ()) -> Problem:
    listed = {"causes": list(causes)} if causes else {}
    said = f'{resource.full} "{name}" is forbidden: {why}'
    return Problem(403, "Forbidden", said, {**_details(resource, name), **listed})


def terminating(resource: Resource, name: str, namespace: str) -> Problem:
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return forbidden(resource, name, why, [cause])


def bad_request(message: str) -> Problem:
    return Problem(400, "BadRequest", message)


def expired_list() -> Problem:
    said = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
        "continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    )
    return Problem(410, "Expired", said)


def expired_watch(asked: int, oldest: int) -> Problem:
    return Problem(410, "Expired", f"too old resource version: {asked} ({oldest})")


def unauthorized() -> Problem:
    return Problem(401, "Unauthorized", "Unauthorized")


def too_many(retry_after: int) -> Problem:
    said = "Too many requests, please try again later."
    return Problem(429, "TooManyRequests", said, {"retryAfterSeconds": retry_after}, retry_after=retry_after)


def internal(message: str) -> Problem:
    return Problem(
        500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]}
    )
