"""Harbor: a project, a robot for each build, Trivy's scans, old images removed by the date of their tags.

How narrow a grant is: a robot of Harbor has rights on whole projects, never on a path within one. In a project that repositories share, a
robot reaches all their images, and the grant is not narrow; with a project per repository it reaches that repository's images and cache
and no more. A robot lives for whole days, one at least: `revoke_push` is what ends it, its last day is for those that a crash left.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from conductor.adapters.registries.exchange import Sleep
from conductor.adapters.registries.harbor_api import HarborApi
from conductor.adapters.registries.harbor_report import by_type, read_overview, read_report, scanner_name
from conductor.adapters.registries.naming import flat, is_key
from conductor.adapters.registries.plain import PlainRegistry
from conductor.adapters.registries.registry_config import Name, RegistryConfig, read_name
from conductor.adapters.registries.tokens import refusal
from conductor.adapters.registries.trial import TRIAL_REPOSITORY
from conductor.domain.scan import Scan, ScanState
from conductor.errors import ConductorError, ConflictError, RefusedError
from conductor.ports.engine import Diagnosis
from conductor.ports.registry import Credentials, PushGrant

_MINE = "conductor-"
_NO_SCANNER = "no scanner is set up in Harbor"
_SWITCHED_OFF = "scanning is switched off by CONDUCTOR_REGISTRY_SCAN"


class HarborRegistry(PlainRegistry):
    """A Harbor as the settings name it."""

    def __init__(self, config: RegistryConfig, *, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(config, sleep=sleep)
        self._api = HarborApi(self._exchange, config.management, config.push)
        self._not_scanned: dict[str, str] = {}

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        """Make a robot for the build; one that an earlier attempt made is replaced."""
        project = await self._ensured(repository)
        name, days = _robot(build), max(1, math.ceil(life / timedelta(days=1)))
        made = await self._api.create_robot(name, project=project, days=days)
        if made is None:
            await self._remove_robot(project, name)
            made = await self._api.create_robot(name, project=project, days=days)
        if made is None:
            raise ConflictError(f"somebody else makes the robot {name} in {project} at this moment")
        credentials = Credentials(
            server=self._config.server, username=str(made["name"]), password=str(made["secret"])
        )
        return PushGrant(credentials=credentials, narrow=self._config.narrow)

    async def revoke_push(self, build: str, *, repository: str = "") -> None:
        """Remove the build's robot."""
        async for project in self._projects(repository):
            if await self._api.has_project(project):
                await self._remove_robot(project, _robot(build))

    async def request_scan(self, reference: str, digest: str) -> None:
        """Start a scan, unless one is under way or has ended with a report, or the image is in another registry than is set now."""
        name = read_name(reference)
        if not self._config.scans or not self._config.owns(name):
            return
        known = read_overview(await self._api.artifact(name.path, digest))
        if known and known.state is not ScanState.FAILED:
            return
        answer = await self._api.start_scan(name.path, digest)
        if answer.status == HTTPStatus.BAD_REQUEST:  # the scanner does not know this kind of artifact
            self._not_scanned[digest] = answer.words() or "the scanner refused it"
        elif not answer.ok and answer.status not in (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED):
            raise refusal(f"having {reference} scanned", answer)

    async def scan(self, reference: str, digest: str) -> Scan:
        """Return how far the scan is. A scan that nobody has asked for is pending."""
        name = read_name(reference)
        if not self._config.scans or not self._config.owns(name):
            why = (
                "it is in another registry than the one that is set" if self._config.scans else _SWITCHED_OFF
            )
            return Scan(state=ScanState.NONE, message=why)
        known = read_overview(await self._api.artifact(name.path, digest))
        if known is None:
            return await self._unscanned(name, digest)
        if known.state is not ScanState.DONE:
            return known
        report = by_type(await self._api.report(name.path, digest))
        return read_report(report, scanner=known.scanner) if report is not None else known

    async def prune(self, repository: str, *, keep: int, used: Collection[str] = ()) -> Sequence[str]:
        """Remove the oldest tags of each image beyond so many, and the robots whose days are over."""
        project = self._config.project_of(repository)
        if not await self._api.has_project(project):
            return ()
        removed: list[str] = []
        async for path in self._api.repositories(project):
            if self._config.is_image_of(path, repository):
                removed += await self._prune_image(path, keep, used)
        await self._remove_old_robots(project)
        return removed

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Try the project, images, robots, and look for a scanner."""
        try:
            project = await self._ensured(TRIAL_REPOSITORY)
        except ConductorError as error:
            return [Diagnosis(subject="registry", ok=False, detail=error.message, remedy=error.remedy)]
        lines = [*await super().diagnose()]
        if all(line.ok for line in lines if line.subject == "registry"):
            lines += [await self._try_robot(), await self._look_for_scanner(project)]
        return lines

    async def _find(self, name: Name) -> str | None:
        """Find an image; in a project that is not there yet there is none, whatever the registry says of rights."""
        try:
            return await super()._find(name)
        except RefusedError:
            if await self._api.has_project(name.path.partition("/")[0]):
                raise
            return None

    async def _remove(self, name: Name, digest: str) -> bool:
        await self._api.delete_artifact(name.path, digest)
        return True

    async def _ensured(self, repository: str) -> str:
        project = self._config.project_of(repository)
        if not await self._api.has_project(project):
            await self._api.create_project(project)
        return project

    async def _projects(self, repository: str) -> AsyncIterator[str]:
        if repository or not self._config.per_repository:
            yield self._config.project_of(repository)
            return
        async for project in self._api.projects(f"{self._config.project}_"):
            yield project

    async def _remove_robot(self, project: str, name: str) -> None:
        async for robot in self._api.robots(project):
            if _short_name(robot) == name:
                await self._api.delete_robot(int(robot["id"]))
                return

    async def _remove_old_robots(self, project: str) -> None:
        now = time.time()
        old = [
            int(robot["id"])
            async for robot in self._api.robots(project)
            if _short_name(robot).startswith(_MINE) and 0 < int(robot.get("expires_at") or 0) < now
        ]
        for number in old:
            await self._api.delete_robot(number)

    async def _unscanned(self, name: Name, digest: str) -> Scan:
        if digest in self._not_scanned:
            return Scan(state=ScanState.NONE, message=self._not_scanned[digest])
        if await self._api.scanner(name.path.partition("/")[0]) is None:
            return Scan(state=ScanState.NONE, message=_NO_SCANNER)
        return Scan(state=ScanState.PENDING, message="not begun")

    async def _prune_image(self, path: str, keep: int, used: Collection[str]) -> Sequence[str]:
        artifacts = [one async for one in self._api.artifacts(path)]
        pushed = sorted(_pushed_keys(artifacts), reverse=True)[keep:]
        old = [tag for _, tag, digest in pushed if digest not in used]
        for artifact in artifacts:
            await self._prune_artifact(path, artifact, set(old))
        return [self._config.reference(path, tag) for tag in old]

    async def _prune_artifact(self, path: str, artifact: Mapping[str, Any], old: set[str]) -> None:
        names, digest = {str(tag["name"]) for tag in _tags(artifact)}, str(artifact["digest"])
        if names and names <= old:
            await self._api.delete_artifact(path, digest)
            return
        for name in sorted(names & old):
            await self._api.delete_tag(path, digest, name)

    async def _try_robot(self) -> Diagnosis:
        subject = "registry: robots"
        repository = TRIAL_REPOSITORY
        try:
            grant = await self.grant_push(repository, build="doctor", life=timedelta(hours=1))
            await self.revoke_push("doctor", repository=repository)
        except ConductorError as error:
            return Diagnosis(subject=subject, ok=False, detail=error.message, remedy=error.remedy)
        reach = (
            "its repository's images" if grant.narrow else "every image of the project, so no build sees it"
        )
        return Diagnosis(subject=subject, ok=True, detail=f"made and removed; one reaches {reach}")

    async def _look_for_scanner(self, project: str) -> Diagnosis:
        subject = "registry: scanner"
        if not self._config.scans:
            return Diagnosis(subject=subject, ok=True, detail=_SWITCHED_OFF)
        try:
            scanner = await self._api.scanner(project)
        except ConductorError as error:
            return Diagnosis(subject=subject, ok=False, detail=error.message, remedy=error.remedy)
        if scanner is None:
            remedy = (
                "Install Harbor with Trivy (`trivy.enabled: true`), or set CONDUCTOR_REGISTRY_SCAN=false."
            )
            return Diagnosis(subject=subject, ok=False, detail=_NO_SCANNER, remedy=remedy)
        well = scanner.get("health") in (None, "", "healthy")
        remedy = "" if well else "See the log of Harbor's scanner."
        return Diagnosis(subject=subject, ok=well, detail=scanner_name(scanner), remedy=remedy)


def _robot(build: str) -> str:
    """Name a robot in the letters that Harbor allows."""
    return f"{_MINE}{flat(build)}"


def _short_name(robot: Mapping[str, Any]) -> str:
    """Return the name that it was made under: Harbor says `robot$PROJECT+NAME`, and the prefix can be changed."""
    return str(robot.get("name", "")).rpartition("+")[2]


def _pushed_keys(artifacts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield date, tag and digest of each content key."""
    for artifact in artifacts:
        for tag in _tags(artifact):
            if is_key(str(tag["name"])):
                yield str(tag.get("push_time", "")), str(tag["name"]), str(artifact["digest"])


def _tags(artifact: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return artifact.get("tags") or ()
