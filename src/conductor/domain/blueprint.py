"""The blueprint: everything that a run will make, worked out before it makes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conductor.domain.account import Entry
from conductor.domain.plan import Plan
from conductor.domain.stack import Build, Job, Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageBuild:
    """One image to build, for one workload or for several that ask for the very same."""

    name: str
    """`<service>` or `tests/<job>`: the subject of its steps and events."""
    build: Build
    users: tuple[str, ...]
    """Names of the workloads that run it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blueprint:
    """Plan, stack, jobs, images. `notes` are what a reader of the report should know of how it came about."""

    plan: Plan
    stack: Stack
    jobs: tuple[Job, ...]
    images: tuple[ImageBuild, ...] = ()
    notes: tuple[str, ...] = ()
    account: tuple[Entry, ...] = ()

    def job(self, suite: str) -> Job:
        """Return the job of a suite. KeyError where there is none: callers have checked."""
        for job in self.jobs:
            if job.suite == suite:
                return job
        raise KeyError(suite)

    def image_for(self, workload: str) -> ImageBuild | None:
        """Return what has to be built for this workload, or None where its image is only pulled."""
        return next((image for image in self.images if workload in image.users), None)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Every secret that somebody gets."""
        consumers = [*self.stack.services, *(job.workload for job in self.jobs)]
        keys = {key for service in consumers for key in service.secret_keys}
        return tuple(request.name for request in self.plan.secrets if request.name in keys)

    @property
    def secret_consumers(self) -> Mapping[str, tuple[str, ...]]:
        """Who gets which, by the workload's name; who gets none is not in it."""
        consumers = [*self.stack.services, *(job.workload for job in self.jobs)]
        return {one.name: one.required_secrets for one in consumers if one.required_secrets}
