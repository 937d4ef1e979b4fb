"""The API's description (OpenAPI 3.1): what FastAPI draws up, with the token, the problems and examples that go for all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from conductor.web.problems import MEDIA_TYPE, Problem

DESCRIPTION = """Runs of integration tests, what they leave, and what still stands.

Every request needs a token (`Authorization: Bearer cdr_...`) but those for health, for this description, and deliveries, which are signed.
Roles: `read` looks, `run` starts and stops runs and changes stacks, `admin` does the rest. A token bound to repositories sees only theirs:
whatever belongs to another is answered as if it were not there. Refusals are problems (RFC 9457) with a stable `code` and a `remedy`.
Lists come in pages: `next` is the `cursor` of the page after. A POST with an `Idempotency-Key` is done once.
"""

PROBLEMS: Mapping[int, str] = {
    400: "The request does not make sense.",
    401: "No token, or one that opens nothing.",
    403: "The token's role is not enough, or it is on the list of things that are not done.",
    404: "There is no such thing, or none that the token sees.",
    409: "It is at work, or somebody else holds it.",
    413: "The body is too large.",
    422: "The request has values that cannot be.",
    500: "A mistake of the server.",
    502: "There could be no fair test.",
    503: "Something that the server needs does not answer.",
}
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def describe(app: FastAPI) -> dict[str, Any]:
    """Draw it up, once."""
    if app.openapi_schema is None:
        app.openapi_schema = _drawn_up(app)
    return app.openapi_schema


def _drawn_up(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs", {}), "Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token: `conductor tokens create`."}
    }
    components["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in PROBLEMS.items()
    }
    for path, operation in _operations(made):
        needs_token = path.startswith("/api/") or (path == "/metrics" and not app.state.metrics_open)
        operation["security"] = [{"token": []}] if needs_token else []
        answers = operation["responses"]
        if str(answers.get("422", {}).get("content", "")).find("HTTPValidationError") >= 0:
            del answers["422"]
        for status in PROBLEMS:
            answers.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
        answers |= {key: answers.pop(key) for key in sorted(answers)}
    return made


def _operations(made: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, operation
