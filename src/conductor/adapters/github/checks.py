"""One check run for each attempt of a run, edited as it goes on; a commit status where there is only a token, which may make no checks.

Law: a check is found again by its `external_id` (`RUN/ATTEMPT`), so a crash between making and recording makes no second one; GitHub adds
annotations to what is there, so only those that are not there yet are sent. Source: docs.github.com, "REST API endpoints for check runs".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conductor.adapters.github.api import Api
from conductor.adapters.github.credentials import Use
from conductor.adapters.github.payloads import RERUN_FAILED
from conductor.domain.run import Status
from conductor.domain.telling import Annotation, Telling
from conductor.domain.verdict import Verdict
from conductor.errors import NotFoundError

NAME = "Conductor"
STATUS_CONTEXT = "conductor"
_PER_CALL = 50
_LONGEST = 65_535
_CONCLUSIONS: Mapping[Verdict | None, str] = {
    Verdict.PASSED: "success",
    Verdict.FAILED: "failure",
    Verdict.BROKEN: "failure",
    Verdict.CANCELLED: "cancelled",
    Verdict.SUPERSEDED: "cancelled",
    None: "neutral",
}
_STATES: Mapping[Verdict | None, str] = {
    Verdict.PASSED: "success",
    Verdict.FAILED: "failure",
    None: "pending",
}
_RERUN_FAILED = {
    "label": "Re-run failed",
    "description": "Only the tests that failed, once more",
    "identifier": RERUN_FAILED,
}


async def tell_check(api: Api, telling: Telling, known: str) -> str:
    """Make or edit the check of an attempt; `known` is its id, if it is on record. Returns its id."""
    repository = telling.run.repository
    found = await _known(api, repository, known) or await _find(api, telling)
    if found is None:
        sent = telling.annotations[:_PER_CALL]
        data = {**_check(telling, sent), "head_sha": telling.run.source.commit}
        found = await api.tell(repository, "POST", "/check-runs", data)
    else:
        there = _annotated(found)
        sent = telling.annotations[there : there + _PER_CALL]
        found = await api.tell(repository, "PATCH", f"/check-runs/{found['id']}", _check(telling, sent))
    await _rest_of_annotations(api, telling, found)
    return str(found["id"])


async def tell_status(api: Api, telling: Telling) -> None:
    """Set the status of the commit; a later one of the same context takes its place."""
    ended = telling.state is Status.ENDED
    verdict = telling.verdict if ended else None
    data = {
        "state": _STATES.get(verdict, "error"),
        "context": STATUS_CONTEXT,
        "description": telling.title[:140],
        **({"target_url": telling.links["run"]} if "run" in telling.links else {}),
    }
    await api.tell(telling.run.repository, "POST", f"/statuses/{telling.run.source.commit}", data)


async def _known(api: Api, repository: str, known: str) -> dict[str, Any] | None:
    if not known.isdecimal():
        return None
    try:
        found = await api.get(repository, f"/check-runs/{known}", use=Use.TELL)
    except NotFoundError:
        return None
    return dict(found)


async def _find(api: Api, telling: Telling) -> dict[str, Any] | None:
    path = f"/commits/{telling.run.source.commit}/check-runs"
    params = {"check_name": NAME, "filter": "all"}
    async for page in api.all(telling.run.repository, path, params=params, use=Use.TELL):
        for one in page["check_runs"]:
            if one.get("external_id") == _external_id(telling):
                return dict(one)
    return None


async def _rest_of_annotations(api: Api, telling: Telling, found: Mapping[str, Any]) -> None:
    there = _annotated(found)
    while there < len(telling.annotations):
        sent = telling.annotations[there : there + _PER_CALL]
        data = {"output": _output(telling, sent)}
        found = await api.tell(telling.run.repository, "PATCH", f"/check-runs/{found['id']}", data)
        there = max(_annotated(found), there + len(sent))


def _annotated(found: Mapping[str, Any]) -> int:
    return int((found.get("output") or {}).get("annotations_count") or 0)


def _external_id(telling: Telling) -> str:
    return f"{telling.run.id}/{telling.run.attempt}"


def _check(telling: Telling, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": NAME,
        "external_id": _external_id(telling),
        "output": _output(telling, annotations),
    }
    if "run" in telling.links:
        made["details_url"] = telling.links["run"]
    if telling.started_at:
        made["started_at"] = _time(telling.started_at)
    if telling.state is not Status.ENDED:
        return {**made, "status": "in_progress" if telling.started_at else "queued"}
    made |= {"status": "completed", "conclusion": _CONCLUSIONS[telling.verdict]}
    if telling.ended_at:
        made["completed_at"] = _time(telling.ended_at)
    return {**made, "actions": [_RERUN_FAILED] if telling.has_failures else []}


def _output(telling: Telling, annotations: tuple[Annotation, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {"title": telling.title[:250], "summary": telling.summary[:_LONGEST]}
    if annotations:
        made["annotations"] = [_annotation(one) for one in annotations]
    return made


def _annotation(one: Annotation) -> dict[str, Any]:
    return {
        "path": one.path,
        "start_line": one.line,
        "end_line": one.line,
        "annotation_level": "failure",
        "title": one.title[:255],
        "message": one.message[:60_000],
    }


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
