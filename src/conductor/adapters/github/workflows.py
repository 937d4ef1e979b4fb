"""Workflows of GitHub Actions: started, found, followed to their end, cancelled; and the names of the secrets that they see.

Sources: docs.github.com, "REST API endpoints for workflows", "... for workflow runs", "... for GitHub Actions Secrets". A run's id comes
with the answer where `return_run_details` is known; GitHub Enterprise Server up to 3.19 refuses the key, and the run is found by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from conductor.adapters.github.api import Api
from conductor.adapters.github.credentials import Use
from conductor.adapters.github.exchange import Answer, Sleep, in_path
from conductor.adapters.github.problems import refusal, words
from conductor.adapters.github.site import GitHubSite
from conductor.domain.delivery import WorkflowEnded
from conductor.errors import ConductorError, NotFoundError, RefusedError, UnreachableError
from conductor.ports.workflows import KnownSecrets, WorkflowRun

LOOK = timedelta(seconds=5)
"""Between looks at a run. One that has not changed is answered with 304, which no limit counts."""
APPEARS_WITHIN = timedelta(minutes=1)
"""So long GitHub may take to list a run that it has started."""
_UNKNOWN_KEY = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
_INSTALL = "`conductor secrets install` writes it: commit it to the default branch."


class GitHubWorkflows:
    """The workflows of the repositories that the App or token reaches."""

    def __init__(self, api: Api, site: GitHubSite, *, sleep: Sleep = asyncio.sleep) -> None:
        self._api = api
        self._site = site
        self._sleep = sleep
        self._bells: dict[tuple[str, int], asyncio.Event] = {}

    def repository_at(self, location: str) -> str | None:
        """Name the repository at an address."""
        return self._site.repository_at(location)

    async def secrets(self, repository: str, environment: str) -> KnownSecrets | None:
        """List what a workflow sees: the organisation's, over them the repository's, over them the environment's."""
        changed: dict[str, datetime] = {}
        try:
            for path in ("/actions/organization-secrets", "/actions/secrets"):
                changed |= {name: at async for name, at in self._listed(repository, path)}
            own = {name: at async for name, at in self._of_environment(repository, environment)}
        except RefusedError:
            return None
        return KnownSecrets(changed=changed | own, environment=environment if own else "")

    async def dispatch(
        self, repository: str, file: str, inputs: Mapping[str, str], *, title: str
    ) -> WorkflowRun:
        """Start a workflow on the default branch, and return its run."""
        about = await self._api.get(repository, "", use=Use.LIST)
        path = f"/actions/workflows/{in_path(file)}/dispatches"
        asked = {"ref": str(about["default_branch"]), "inputs": dict(inputs)}
        answer = await self._api.post(
            repository, path, {**asked, "return_run_details": True}, use=Use.WORKFLOWS
        )
        if answer.status in _UNKNOWN_KEY:
            answer = await self._api.post(repository, path, asked, use=Use.WORKFLOWS)
        if not answer.ok:
            raise _not_started(answer, repository, file)
        told = answer.data
        if isinstance(told, dict) and told.get("workflow_run_id"):
            return WorkflowRun(id=int(told["workflow_run_id"]), link=str(told.get("html_url") or ""))
        return await self._appeared(repository, file, title)

    async def find(self, repository: str, file: str, *, title: str) -> WorkflowRun | None:
        """Return the newest of the latest hundred runs that calls itself so."""
        listed = await self._api.get(
            repository,
            f"/actions/workflows/{in_path(file)}/runs",
            params={"event": "workflow_dispatch", "per_page": "100"},
            use=Use.WORKFLOWS,
        )
        found = (one for one in listed["workflow_runs"] if one.get("display_title") == title)
        newest = next(found, None)
        return _run(newest) if newest else None

    async def follow(self, repository: str, run: int, *, patience: timedelta) -> WorkflowRun:
        """Look now and then, and when a delivery tells that it has ended. That GitHub does not answer is waited out too."""
        now = self._api.exchange.now
        until = now() + patience
        bell = self._bells.setdefault((repository.lower(), run), asyncio.Event())
        seen = WorkflowRun(id=run)
        try:
            while True:
                bell.clear()
                with suppress(UnreachableError):
                    seen = await self._look(repository, run)
                if seen.conclusion or now() >= until:
                    return seen
                await self._rest(bell)
        finally:
            self._bells.pop((repository.lower(), run), None)

    async def cancel(self, repository: str, run: int) -> None:
        """Cancel a run; 409 is GitHub's word for one that has ended."""
        answer = await self._api.post(repository, f"/actions/runs/{run}/cancel", None, use=Use.WORKFLOWS)
        if not answer.ok and answer.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
            raise refusal(answer)

    def ended(self, told: WorkflowEnded) -> bool:
        """Ring for whoever follows it here."""
        bell = self._bells.get((told.repository.lower(), told.workflow))
        if bell:
            bell.set()
        return bell is not None

    async def _look(self, repository: str, run: int) -> WorkflowRun:
        return _run(await self._api.get(repository, f"/actions/runs/{run}", use=Use.WORKFLOWS))

    async def _rest(self, bell: asyncio.Event) -> None:
        waiting = [
            asyncio.ensure_future(self._sleep(LOOK.total_seconds())),
            asyncio.ensure_future(bell.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _appeared(self, repository: str, file: str, title: str) -> WorkflowRun:
        now = self._api.exchange.now
        until = now() + APPEARS_WITHIN
        while (found := await self.find(repository, file, title=title)) is None:
            if now() >= until:
                raise UnreachableError(
                    f"GitHub took the dispatch of {file} in {repository}, and lists no run called {title!r}",
                    remedy="See under Actions of the repository whether workflows are switched on there.",
                )
            await self._sleep(LOOK.total_seconds())
        return found

    async def _listed(self, repository: str, path: str) -> AsyncIterator[tuple[str, datetime]]:
        async for page in self._api.all(repository, path, use=Use.SECRETS):
            for one in page["secrets"]:
                yield str(one["name"]).upper(), datetime.fromisoformat(str(one["updated_at"]))

    async def _of_environment(self, repository: str, environment: str) -> AsyncIterator[tuple[str, datetime]]:
        with suppress(NotFoundError):  # it has no such environment
            async for one in self._listed(repository, f"/environments/{in_path(environment)}/secrets"):
                yield one


def _run(told: Mapping[str, Any]) -> WorkflowRun:
    ended = told.get("status") == "completed"
    return WorkflowRun(
        id=int(told["id"]),
        link=str(told.get("html_url") or ""),
        conclusion=str(told.get("conclusion") or "unknown") if ended else "",
    )


def _not_started(answer: Answer, repository: str, file: str) -> ConductorError:
    if answer.status == HTTPStatus.NOT_FOUND:
        return NotFoundError(f"{repository} has no workflow {file} on its default branch", remedy=_INSTALL)
    if answer.status in _UNKNOWN_KEY:
        return RefusedError(
            f"the workflow {file} of {repository} does not take what it is given: {words(answer.body)}",
            remedy=f"It is of another version of Conductor, or somebody changed it. {_INSTALL}",
        )
    return refusal(answer)
