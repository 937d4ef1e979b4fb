"""The sweeper: removes what is over, from the marks alone. It needs no run to be alive and touches nothing of another instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from conductor.domain.lease import NamespaceInfo, NamespaceStatus
from conductor.errors import ConductorError, UnreachableError
from conductor.ports.world import World
from conductor.steps.room import remove_stack

ORPHAN_AFTER = timedelta(hours=1)
"""A namespace of this instance without a readable mark is removed after this time: nobody can own it."""
LONGEST_NAP = timedelta(minutes=1)


@dataclass(kw_only=True)
class Swept:
    """What one sweep did: names of namespaces, and what could not be removed, with the reason."""

    removed: list[str] = field(default_factory=list)
    things: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left: int = 0
    images: list[str] = field(default_factory=list)
    """Names of images that went from the registry."""


async def sweep(world: World) -> Swept:
    """Look at every namespace of this instance once. One that cannot be removed is reported and stops nothing."""
    swept = Swept()
    leases = await world.store.leases()
    repositories: set[str] = set()
    going = {lease.namespace for lease in leases if lease.status is NamespaceStatus.DELETING}
    for info in await world.engine.namespaces():
        if not _is_over(world, info) and info.name not in going:
            swept.left += 1
            continue
        try:
            swept.things += await remove_stack(world, info)
            swept.removed.append(info.name)
            repositories |= {info.lease.repository} if info.lease else set()
        except ConductorError as error:
            swept.failed[info.name] = error.message
    await _forget_leases_of_nothing(world)
    await _prune_images(world, repositories, swept)
    return swept


async def sweep_until_empty(world: World) -> None:
    """Sweep at the end of each lease until there is none left. An engine that is away comes back: its leases are not over."""
    while True:
        nap = LONGEST_NAP
        with suppress(UnreachableError):
            swept = await sweep(world)
            if not swept.left and not swept.failed:
                return
            nap = await until_next_end(world)
        await world.clock.sleep(nap)


async def until_next_end(world: World) -> timedelta:
    """Tell how long the next sweep can wait: until the first lease ends, at most `LONGEST_NAP`."""
    return _until_next_end(world, await world.engine.namespaces())


async def _prune_images(world: World, repositories: Iterable[str], swept: Swept) -> None:
    """Let go of the oldest test images of repositories whose stacks went. What stands keeps its own."""
    used = await _images_in_use(world)
    for repository in sorted(repositories):
        if world.registry is None or world.budget.images is None:
            return
        try:
            swept.images += await world.registry.prune(repository, keep=world.budget.images, used=used)
        except ConductorError as error:
            swept.failed[f"images of {repository}"] = error.message


async def _images_in_use(world: World) -> frozenset[str]:
    """Name the digests that stacks of our records run."""
    found = [
        await world.store.images(row.run.id, row.run.attempt)
        for lease in await world.store.leases()
        if (row := await world.store.find_run(lease.run))
    ]
    return frozenset(
        image.published.rpartition("@")[2] for images in found for image in images if image.published
    )


def _is_over(world: World, info: NamespaceInfo) -> bool:
    now = world.clock.now()
    if info.lease is None:
        return info.created_at is not None and now - info.created_at > ORPHAN_AFTER
    return info.lease.is_over(now)


def _until_next_end(world: World, left: Sequence[NamespaceInfo]) -> timedelta:
    now = world.clock.now()
    ends = [info.lease.expires_at - now for info in left if info.lease and info.lease.expires_at]
    return max(timedelta(seconds=1), min([*ends, LONGEST_NAP]))


async def _forget_leases_of_nothing(world: World) -> None:
    """Forget the recorded leases of namespaces that somebody removed by hand."""
    there = {info.name for info in await world.engine.namespaces()}
    for lease in await world.store.leases():
        if lease.namespace not in there:
            await world.store.delete_lease(lease.namespace)
