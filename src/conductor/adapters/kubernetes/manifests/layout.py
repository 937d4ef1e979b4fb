"""What the pods of one stack share: worked out once for all of them, so that each can then be made alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conductor.adapters.kubernetes.manifests.binds import Bound, bind, is_bound
from conductor.adapters.kubernetes.manifests.files import Files, bound_source
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.names import job_name
from conductor.domain.stack import BindMount, FileMount, Job, Service, Stack, VolumeMount


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A stack with its jobs on a site. Made by `lay_out`."""

    site: Site
    stack: Stack
    jobs: tuple[Job, ...]
    """Their workloads are on the networks of the stack."""
    absent: tuple[Service, ...] = ()
    """The suites of the stack that are not among the jobs, as far as they mount something."""
    bounds: Mapping[tuple[str, str, bool], Bound]
    together: Mapping[str, str]
    """Workloads that mount volumes -> the name of their group: those of one group are kept on one node."""

    @property
    def workloads(self) -> tuple[Service, ...]:
        """Services, then what the jobs run, then what the suites mount whose jobs are not here."""
        return (*self.stack.services, *(job.workload for job in self.jobs), *self.absent)

    def bound(self, service: Service, mount: BindMount | FileMount) -> Bound:
        """Return how a bound mount is carried."""
        read_only = not isinstance(mount, BindMount) or mount.read_only
        return self.bounds[service.name, bound_source(mount), read_only]

    def claims(self, service: Service) -> tuple[str, ...]:
        """Name the claims that a workload mounts."""
        return tuple(dict.fromkeys(_claims(self.bounds, service)))


def lay_out(
    stack: Stack, jobs: Sequence[Job] = (), *, files: Files | None = None, site: Site | None = None
) -> Layout:
    """Work out what is shared. `files` are those of the checkout that the stack mounts. Pure.

    Law: it is the same whichever of the stack's suites are among `jobs`, since services are applied before any of them.
    """
    placed = tuple(_on_all_networks(job, stack) for job in jobs)
    absent = _absent(stack, placed)
    workloads = (*stack.services, *(job.workload for job in placed), *absent)
    bounds = bind(workloads, files or {})
    site = site or Site()
    suites = {job.workload.name: job.suite for job in placed} | {
        _stand_in(name): name for name in stack.suite_mounts
    }
    together = {} if site.access_mode == "ReadWriteMany" else _together(workloads, suites, bounds)
    return Layout(site=site, stack=stack, jobs=placed, absent=absent, bounds=bounds, together=together)


def _absent(stack: Stack, jobs: Sequence[Job]) -> tuple[Service, ...]:
    """Stand in for the suites without a job here, by their mounts. A rerun's job has another name, and is the same suite."""
    here = {job.suite for job in jobs}
    return tuple(
        Service(name=_stand_in(suite), mounts=mounts)
        for suite, mounts in stack.suite_mounts.items()
        if suite not in here
    )


def _stand_in(suite: str) -> str:
    """Name it as no service is called."""
    return f"suite {suite}"


def _on_all_networks(job: Job, stack: Stack) -> Job:
    """Put a job that names no networks of its own on all of the stack's."""
    if dict(job.workload.networks) != {"default": ()}:
        return job
    everywhere = dict.fromkeys((net for service in stack.services for net in service.networks), ())
    return replace(job, workload=replace(job.workload, networks=everywhere or {"default": ()}))


def _claims(bounds: Mapping[tuple[str, str, bool], Bound], service: Service) -> list[str]:
    made = []
    for mount in service.mounts:
        if isinstance(mount, VolumeMount) and mount.volume is not None:
            made.append(kube_name(mount.volume))
        elif isinstance(mount, BindMount | FileMount) and is_bound(mount):
            read_only = not isinstance(mount, BindMount) or mount.read_only
            made.append(bounds[service.name, bound_source(mount), read_only].claim or "")
    return [name for name in made if name]


def _together(
    workloads: Sequence[Service], suites: Mapping[str, str], bounds: Mapping[tuple[str, str, bool], Bound]
) -> Mapping[str, str]:
    """Name the group of each workload that mounts a claim: it is that of all who share one with it, directly or through others.

    A service gives the group its name, and where there is none a suite: a job's own name changes when it is run again.
    """
    groups: list[tuple[set[str], list[str]]] = []
    for service in workloads:
        claims = set(_claims(bounds, service))
        touched = [group for group in groups if group[0] & claims]
        groups = [group for group in groups if group not in touched]
        members = [*(other for _, others in touched for other in others), service.name]
        groups.append((claims.union(*(names for names, _ in touched)), members))
    return {
        member: _group_name(members, suites) for claims, members in groups if claims for member in members
    }


def _group_name(members: Sequence[str], suites: Mapping[str, str]) -> str:
    services = [member for member in members if member not in suites]
    return f"with-{kube_name(min(services or [job_name(suites[member]) for member in members]))}"
