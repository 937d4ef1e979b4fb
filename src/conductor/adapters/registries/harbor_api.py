"""Harbor's own API, version 2.0: projects, robots, artifacts, scans.

Where its description and its servers differ, the servers are right: the report of a scan is an object and not a string, and a scan
where no scanner is set up is answered with 412.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from conductor.adapters.registries.exchange import Answer, Exchange, basic
from conductor.adapters.registries.harbor_report import ACCEPTED
from conductor.adapters.registries.tokens import refusal
from conductor.ports.registry import Credentials

_PAGE = 100
_MOST_PAGES = 200
_BY_NAME = {"X-Is-Resource-Name": "true"}
Json = Mapping[str, Any]


class HarborApi:
    """Asks Harbor as one account."""

    def __init__(self, exchange: Exchange, url: str, login: Credentials | None) -> None:
        self._exchange = exchange
        self._url = url
        self._login = basic(login) if login else {}

    async def has_project(self, name: str) -> bool:
        """Tell whether a project is there."""
        answer = await self._ask("HEAD", "/projects", params={"project_name": name})
        if answer.status != HTTPStatus.NOT_FOUND and not answer.ok:
            raise refusal(f"looking for the project {name}", answer)
        return answer.ok

    async def create_project(self, name: str) -> None:
        """Make a private project; one that is there is left as it is."""
        told = {"project_name": name, "metadata": {"public": "false"}}
        answer = await self._ask("POST", "/projects", told)
        if answer.status != HTTPStatus.CONFLICT and not answer.ok:
            raise refusal(
                f"making the project {name}",
                answer,
                remedy=f"Make a project {name} in Harbor, or let the account of CONDUCTOR_REGISTRY_USER make projects.",
            )

    async def project_id(self, name: str) -> int:
        """Return a project's number."""
        answer = await self._ask("GET", f"/projects/{quote(name, safe='')}", headers=_BY_NAME)
        return int(_good(answer, f"looking at the project {name}").json()["project_id"])

    async def projects(self, beginning: str) -> AsyncIterator[str]:
        """Yield the names of projects that begin so."""
        async for told in self._pages("/projects", {"q": f"name=~{beginning}"}, "listing projects"):
            if str(told.get("name", "")).startswith(beginning):
                yield str(told["name"])

    async def create_robot(self, name: str, *, project: str, days: int) -> Json | None:
        """Make an account that pushes to one project and pulls from it; None where one of that name is there."""
        access = [{"resource": "repository", "action": action} for action in ("push", "pull")]
        told = {
            "name": name,
            "description": "made by Conductor for one build",
            "duration": days,
            "level": "project",
            "permissions": [{"kind": "project", "namespace": project, "access": access}],
        }
        answer = await self._ask("POST", "/robots", told)
        if answer.status == HTTPStatus.CONFLICT:
            return None
        made: Json = _good(answer, f"making the robot {name}", remedy=_REMEDY_OF_ROBOTS).json()
        return made

    async def robots(self, project: str) -> AsyncIterator[Json]:
        """Yield the robots of a project."""
        number = await self.project_id(project)
        asked = {"q": f"Level=project,ProjectID={number}"}
        async for robot in self._pages(
            "/robots", asked, f"listing the robots of {project}", _REMEDY_OF_ROBOTS
        ):
            yield robot

    async def delete_robot(self, number: int) -> None:
        """Remove a robot; one that is gone is no error."""
        answer = await self._ask("DELETE", f"/robots/{number}")
        if answer.status != HTTPStatus.NOT_FOUND and not answer.ok:
            raise refusal(f"removing the robot {number}", answer, remedy=_REMEDY_OF_ROBOTS)

    async def artifact(self, path: str, digest: str) -> Json:
        """Return what Harbor knows of an image, with the state of its scan."""
        headers = {"X-Accept-Vulnerabilities": ACCEPTED}
        asked = {"with_scan_overview": "true", "with_tag": "true"}
        answer = await self._ask("GET", _artifact(path, digest), headers=headers, params=asked)
        told: Json = _good(answer, f"looking at {path}@{digest}").json()
        return told

    async def start_scan(self, path: str, digest: str) -> Answer:
        """Ask for a scan; the answer says how that went."""
        return await self._ask("POST", f"{_artifact(path, digest)}/scan", {"scan_type": "vulnerability"})

    async def report(self, path: str, digest: str) -> Any:
        """Return the reports of a scan, by MIME type."""
        headers = {"X-Accept-Vulnerabilities": ACCEPTED}
        answer = await self._ask(
            "GET", f"{_artifact(path, digest)}/additions/vulnerabilities", headers=headers
        )
        return (
            {}
            if answer.status == HTTPStatus.NOT_FOUND
            else _good(answer, f"reading the scan of {path}").json()
        )

    async def scanner(self, project: str) -> Json | None:
        """Return the scanner of a project; None where none is set up."""
        answer = await self._ask("GET", f"/projects/{quote(project, safe='')}/scanner", headers=_BY_NAME)
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED):
            return None
        told: Json = _good(answer, f"looking for the scanner of {project}").json()
        return told if told and told.get("uuid") and not told.get("disabled") else None

    async def repositories(self, project: str) -> AsyncIterator[str]:
        """Yield the names of a project's repositories, the project's name first."""
        where = f"/projects/{quote(project, safe='')}/repositories"
        async for told in self._pages(where, {}, f"listing the repositories of {project}"):
            yield str(told.get("name", ""))

    async def artifacts(self, path: str) -> AsyncIterator[Json]:
        """Yield the images of a repository with their tags."""
        asked = {"with_tag": "true", "sort": "-push_time"}
        async for told in self._pages(
            _repository(path) + "/artifacts", asked, f"listing the images of {path}"
        ):
            yield told

    async def delete_artifact(self, path: str, digest: str) -> None:
        """Remove an image with all its tags; one that is gone is no error."""
        await self._delete(_artifact(path, digest), f"deleting {path}@{digest}")

    async def delete_tag(self, path: str, digest: str, tag: str) -> None:
        """Remove a tag; one that is gone is no error."""
        where = f"{_artifact(path, digest)}/tags/{quote(tag, safe='')}"
        await self._delete(where, f"deleting {path}:{tag}")

    async def _delete(self, where: str, doing: str) -> None:
        answer = await self._ask("DELETE", where)
        if answer.status != HTTPStatus.NOT_FOUND and not answer.ok:
            raise refusal(doing, answer, remedy=_REMEDY_OF_DELETING)

    async def _pages(
        self, where: str, asked: Mapping[str, str], doing: str, remedy: str = ""
    ) -> AsyncIterator[Json]:
        for page in range(1, _MOST_PAGES + 1):
            params = {**asked, "page": str(page), "page_size": str(_PAGE)}
            answer = await self._ask("GET", where, params=params)
            told = _good(answer, doing, remedy=remedy).json() or []
            for one in told:
                yield one
            if len(told) < _PAGE:
                return

    async def _ask(
        self,
        method: str,
        where: str,
        told: Json | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        said = {**self._login, "Accept": "application/json", **(headers or {})}
        content = json.dumps(told).encode() if told is not None else None
        if content is not None:
            said["Content-Type"] = "application/json"
        return await self._exchange.ask(
            method, self._url + where, headers=said, params=params, content=content
        )


_REMEDY_OF_ROBOTS = "Make the account of CONDUCTOR_REGISTRY_USER an administrator of the project, or a robot that makes robots."
_REMEDY_OF_DELETING = "Let the account of CONDUCTOR_REGISTRY_USER delete artifacts, and have no rule of immutable tags for these."


def _good(answer: Answer, doing: str, *, remedy: str = "") -> Answer:
    if not answer.ok:
        raise refusal(doing, answer, remedy=remedy)
    return answer


def _repository(path: str) -> str:
    """Write the address of a repository; its slashes are encoded twice, as Harbor asks for.

    >>> _repository("conductor/acme_shop/backend")
    '/projects/conductor/repositories/acme_shop%252Fbackend'
    """
    project, _, name = path.partition("/")
    return f"/projects/{quote(project, safe='')}/repositories/{quote(quote(name, safe=''), safe='')}"


def _artifact(path: str, digest: str) -> str:
    return f"{_repository(path)}/artifacts/{quote(digest, safe=':')}"
