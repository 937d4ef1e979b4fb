"""What is on the fake machine and belongs to one instance: its namespaces and their workloads, changed under the machine's lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from conductor.adapters.fake.machine import Life, Machine, Namespace, Namespaces, Workload
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.stack import Stack
from conductor.domain.states import Phase
from conductor.errors import NotFoundError
from conductor.ports.clock import Clock
from conductor.ports.engine import Place


class Population:
    """The namespaces of one instance on one machine. Law: those of other instances are neither seen nor touched."""

    def __init__(self, machine: Machine, *, instance: str, clock: Clock) -> None:
        self._machine = machine
        self._instance = instance
        self._clock = clock

    def create_namespace(self, place: Place, lease: Lease) -> None:
        """Make it, or renew its mark."""
        with self._machine.change() as namespaces:
            known = namespaces.get(place.namespace)
            namespaces[place.namespace] = (
                replace(known, lease=lease)
                if known
                else Namespace(
                    name=place.namespace,
                    instance=self._instance,
                    run=place.run,
                    created_at=self._clock.now(),
                    lease=lease,
                )
            )

    def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace."""
        with self._machine.change() as namespaces:
            known = self._mine(namespaces).get(lease.namespace)
            if known is None:
                raise _no_namespace(lease.namespace)
            namespaces[lease.namespace] = replace(known, lease=lease)

    def namespaces(self) -> Sequence[NamespaceInfo]:
        """List them."""
        return [
            NamespaceInfo(
                name=one.name,
                run=one.run,
                lease=one.lease,
                created_at=one.created_at,
                workloads=len(one.workloads),
            )
            for one in self._mine(self._machine.look()).values()
        ]

    def delete_namespace(self, namespace: str) -> int:
        """Remove it and count: itself, its workloads and volumes."""
        with self._machine.change() as namespaces:
            if namespace not in self._mine(namespaces):
                return 0
            gone = namespaces.pop(namespace)
        return 1 + len(gone.workloads) + len(gone.volumes)

    def life(self) -> tuple[Life, ...]:
        """Begin a life."""
        return (Life(began_at=self._clock.now()),)

    def cut(self, workload: Workload) -> Workload:
        """End its life now, if it runs."""
        now = self._clock.now()
        if workload.asleep or workload.state(now).phase is Phase.ENDED:
            return workload
        return replace(workload, lives=(*workload.lives[:-1], replace(workload.lives[-1], cut_at=now)))

    def put(self, place: Place, stack: Stack, workload: Workload) -> None:
        """Put a workload in its place, or adopt the one that is there."""
        with self._machine.change() as namespaces:
            known = self._mine(namespaces).get(place.namespace)
            if known is None:
                raise _no_namespace(place.namespace)
            adopted = known.workloads.get(workload.service.name, workload)
            namespaces[place.namespace] = replace(
                known,
                workloads={**known.workloads, workload.service.name: adopted},
                volumes=tuple(volume.name for volume in stack.volumes),
            )

    def change(self, place: Place, name: str, change: Callable[[Workload], Workload]) -> None:
        """Change a workload, if it is there."""
        with self._machine.change() as namespaces:
            known = self._mine(namespaces).get(place.namespace)
            if known and name in known.workloads:
                workloads = {**known.workloads, name: change(known.workloads[name])}
                namespaces[place.namespace] = replace(known, workloads=workloads)

    def workloads(self, place: Place) -> Mapping[str, Workload]:
        """Return the workloads of a namespace by name; none where there is no such namespace."""
        known = self._mine(self._machine.look()).get(place.namespace)
        return known.workloads if known else {}

    def existing(self, place: Place, name: str) -> Workload:
        """Return a workload. Raises `NotFoundError`."""
        found = self.workloads(place).get(name)
        if found is None:
            raise NotFoundError(
                f"there is no {name} in {place.namespace}",
                remedy="`conductor stacks list` shows what there is.",
            )
        return found

    def running(self, place: Place, name: str) -> Workload:
        """Return a workload that runs. Raises `NotFoundError`."""
        found = self.existing(place, name)
        if not found.runs(self._clock.now()):
            raise NotFoundError(
                f"{name} does not run in {place.namespace}", remedy="`conductor stacks list` shows what does."
            )
        return found

    def _mine(self, namespaces: Namespaces) -> Namespaces:
        return {name: one for name, one in namespaces.items() if one.instance == self._instance}


def _no_namespace(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no namespace {name}", remedy="`conductor stacks list` names those there are."
    )
