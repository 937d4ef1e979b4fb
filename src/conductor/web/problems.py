"""Problems (RFC 9457): every answer that says no, from whatever it was raised, with a stable code and what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from conductor.domain.masking import Masker
from conductor.errors import (
    CancelledRunError,
    ConductorError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    RefusedError,
    RunError,
    StateError,
    UnreachableError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"

STATUS: Mapping[type[ConductorError], int] = {
    ConfigurationError: 422,
    NotFoundError: 404,
    RefusedError: 403,
    UsageError: 400,
    RunError: 502,
    UnreachableError: 503,
    ConflictError: 409,
    CancelledRunError: 409,
    StateError: 503,
    ConductorError: 500,
}
"""Which class is answered with which status: the nearest one counts."""

_log = logging.getLogger(__name__)
_mask = Masker()


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="Part of the request and the way to the value, such as `body.ref`.")
    message: str


class Problem(BaseModel):
    """What went wrong, where, and what to do (RFC 9457)."""

    type: str = Field(examples=["urn:conductor:problem:not-found"])
    title: str = Field(examples=["What was named does not exist"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no run 'shop-k3v9qd'"])
    code: str = Field(description="Stable; a program may go by it.", examples=["not-found"])
    remedy: str = Field(description="What to do.", examples=["`conductor runs list` shows the runs."])
    retryable: bool = Field(description="The same request may go well later.", examples=[False])
    errors: list[Mistake] = Field(default_factory=list, description="Each mistake, where there are several.")


class HttpProblem(HTTPException):
    """A problem of the request itself, with its status."""

    def __init__(
        self, status: int, detail: str, *, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.remedy = remedy


def unauthorized(detail: str) -> HttpProblem:
    """Make the answer to who shows no token that opens anything."""
    challenge = 'Bearer realm="conductor"'
    if "not valid" in detail:
        challenge += ', error="invalid_token"'
    remedy = "Send `Authorization: Bearer cdr_...`; `conductor tokens create` makes one."
    return HttpProblem(401, detail, remedy=remedy, headers={"WWW-Authenticate": challenge})


def status_of(error: ConductorError) -> int:
    """Return the status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def of_error(error: ConductorError) -> JSONResponse:
    """Answer an error of ours."""
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("answering %s: %s", status, error.message)
    mistakes = (
        [Mistake(where=one.file, message=one.message) for one in error.problems]
        if isinstance(error, ConfigurationError)
        else []
    )
    problem = Problem(
        type=f"urn:conductor:problem:{error.code}",
        title=_title(error),
        status=status,
        detail=_mask(error.message),
        code=error.code,
        remedy=_mask(error.remedy),
        retryable=error.retryable,
        errors=mistakes,
    )
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _response(problem, headers)


def of_http(error: HTTPException) -> JSONResponse:
    """Answer what the web's own rules refuse: no such address, method, rights; too large."""
    title = HTTPStatus(error.status_code).phrase
    code = re.sub(r"[^a-z]+", "-", title.lower())
    problem = Problem(
        type=f"urn:conductor:problem:{code}",
        title=title,
        status=error.status_code,
        detail=str(error.detail),
        code=code,
        remedy=getattr(error, "remedy", "") or "The API's description is at /openapi.json.",
        retryable=False,
    )
    return _response(problem, dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""

    async def foreseen(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ConductorError)  # noqa: S101 -- registered for these alone
        return of_error(error)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 -- registered for these alone
        return of_http(error)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for these alone
        return _invalid(error.errors())

    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request went wrong", exc_info=error)
        return of_error(ConductorError("this is a mistake in Conductor", remedy="The server's log has more."))

    app.add_exception_handler(ConductorError, foreseen)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)


def _invalid(errors: Sequence[Any]) -> JSONResponse:
    """Tell each mistake with its place; what was sent is not repeated."""
    mistakes = [
        Mistake(where=".".join(str(part) for part in one["loc"]), message=str(one["msg"])) for one in errors
    ]
    problem = Problem(
        type="urn:conductor:problem:usage",
        title="The request does not make sense as it stands",
        status=422,
        detail="; ".join(f"{one.where}: {one.message}" for one in mistakes)[:2000],
        code="usage",
        remedy="Mend what `errors` names; the API's description is at /openapi.json.",
        retryable=False,
        errors=mistakes,
    )
    return _response(problem, {})


def _title(error: ConductorError) -> str:
    return re.split(r"[;:.\n]", (type(error).__doc__ or "").strip(), maxsplit=1)[0]


def _response(problem: Problem, headers: Mapping[str, str]) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(), status_code=problem.status, headers=dict(headers), media_type=MEDIA_TYPE
    )
