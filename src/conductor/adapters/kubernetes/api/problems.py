"""What an API server answers when it says no, in Conductor's words: each with what to do.

Quota and admission answer 403 as missing rights do, and a field outside the schema 500 as a broken server does (tried on 1.36): so
the text decides too. Law: nothing of the request's body is in a message, since it may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from conductor.domain.states import REMEDIES
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, ConflictError, NotFoundError, RunError, UnreachableError

UNREACHABLE = "Check CONDUCTOR_KUBECONFIG and CONDUCTOR_KUBE_CONTEXT; `conductor doctor --engine kubernetes` says what it finds."
RIGHTS = "Give Conductor's account this right (deploy/ has its roles); `conductor doctor --engine kubernetes` lists all it lacks."
_POLICY = "Set CONDUCTOR_INSTANCE to the name that was installed: a policy keeps its account to namespaces with that mark."
_CREDENTIALS = "Renew the credentials of the kubeconfig's user, or of Conductor's service account."
_LONGEST = 2000


class ExpiredError(UnreachableError):
    """The version that a watch or a page was to go on from is too old: list anew."""


class SilentError(UnreachableError):
    """Nothing was heard for longer than something should have been."""


class ComingBackError(UnreachableError):
    """A server that was away refuses, and may only not know its roles yet."""


class ForbiddenError(RunError):
    """Conductor's account lacks a right."""


def api_error(doing: str, status: int, answer: Mapping[str, Any]) -> ConductorError:
    """Translate an answer (a `Status` of the API, or what could be read of it); `doing` says what for."""
    text = str(answer.get("message") or answer.get("reason") or HTTPStatus(status).phrase)[:_LONGEST]
    said = f"{doing}: {text}"
    match status:
        case 401:
            who = f"{doing}: the API server does not know who is asking"
            return UnreachableError(who, remedy=_CREDENTIALS)
        case 403:
            return _forbidden(said, text)
        case 400 | 413 | 422:
            return _invalid(_with_causes(said, answer))
        case 500 if _is_schema_error(text):
            return _invalid(said)
        case status if status in _PLAIN:
            error, remedy = _PLAIN[status]
            return error(_with_causes(said, answer), remedy=remedy)
    return UnreachableError(f"{said} (HTTP {status})", remedy=UNREACHABLE)


_PLAIN: Mapping[int, tuple[type[ConductorError], str]] = {
    404: (NotFoundError, "`conductor stacks list` names what there is."),
    409: (ConflictError, "Something else changed it meanwhile: repeat."),
    410: (ExpiredError, UNREACHABLE),
}


def is_worth_retrying(status: int, answer: Mapping[str, Any]) -> bool:
    """Tell whether the same request may go well in a moment."""
    return status in (429, 502, 503, 504) or (
        status == HTTPStatus.INTERNAL_SERVER_ERROR and not _is_schema_error(str(answer.get("message")))
    )


def is_there_already(error: ConflictError) -> bool:
    """Tell a name that is taken from a change that was overtaken."""
    return "already exists" in error.message


def _forbidden(said: str, text: str) -> ConductorError:
    if "because it is being terminated" in text:
        return ConflictError(said, remedy="Wait until the namespace is gone, then repeat.")
    if "exceeded quota" in text or "failed quota" in text:
        return _run_error(said, Reason.QUOTA, Fault.PLATFORM)
    if "violates PodSecurity" in text or "maximum" in text or "minimum" in text:
        return _run_error(said, Reason.CONFIGURATION, Fault.REPOSITORY)
    remedy = _POLICY if "ValidatingAdmissionPolicy" in text and "the mark of its instance" in text else RIGHTS
    return ForbiddenError(
        _right(said, text), reason=Reason.FORBIDDEN, fault=Fault.PLATFORM, remedy=remedy, subject=""
    )


def _right(said: str, text: str) -> str:
    """Name the missing right as a role would have it.

    >>> _right("x", 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n"')
    'x (missing right: create pods in the core API group)'
    """
    found = re.search(r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"', text)
    if not found:
        return said
    verb, resource, group = found.groups()
    return f"{said.partition(': ')[0]} (missing right: {verb} {resource} in the {group or 'core'} API group)"


def _invalid(said: str) -> RunError:
    return _run_error(said, Reason.CONFIGURATION, Fault.REPOSITORY)


def _run_error(said: str, reason: Reason, fault: Fault) -> RunError:
    return RunError(said, reason=reason, fault=fault, remedy=REMEDIES[reason])


def _with_causes(said: str, answer: Mapping[str, Any]) -> str:
    causes = (answer.get("details") or {}).get("causes") or ()
    fields = [str(cause["field"]) for cause in causes if cause.get("field") and cause["field"] not in said]
    return f"{said} ({', '.join(dict.fromkeys(fields))})" if fields else said


def _is_schema_error(text: str) -> bool:
    return (
        "failed to create typed patch object" in text
        or "field not declared in schema" in text
        or "unknown field" in text
    )
