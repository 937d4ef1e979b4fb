"""Tests over the runs of a repository: flaky, slow, failing, the row of one; and which of them are in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from conductor.domain.history import (
    Record,
    Sighting,
    TestName,
    failing,
    flaky,
    in_one_run,
    records,
    slowest,
)
from conductor.domain.quarantine import Quarantined
from conductor.errors import NotFoundError, UsageError
from conductor.ports.history import RUNS, History
from conductor.ports.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which runs are looked back upon. `repository` None is that of the latest run; `branch` None is every branch."""

    repository: str | None = None
    branch: str | None = None
    runs: int = RUNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """Tests of a repository, out of so many runs."""

    repository: str
    runs: int
    records: Sequence[Record]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One test over runs, the latest first, and what that amounts to."""

    repository: str
    record: Record
    sightings: Sequence[Sighting]


async def flaky_tests(world: World, scope: Scope) -> Listed:
    """Return the tests that gave both results on the same code, the flakiest first."""
    listed = await _listed(world, scope)
    return _with(listed, flaky(listed.records))


async def slowest_tests(world: World, scope: Scope) -> Listed:
    """Return the tests by the time they take, the slowest first."""
    listed = await _listed(world, scope)
    return _with(listed, slowest(listed.records))


async def failing_tests(world: World, scope: Scope) -> Listed:
    """Return the tests that are red now, each with the run since which it is; on one branch: the latest run's, where none is named."""
    if scope.branch is None:
        latest = await _history(world).sightings(await repository_of(world, scope.repository), runs=1)
        branch = latest[0].tested.branch if latest else None
        scope = Scope(repository=scope.repository, branch=branch, runs=scope.runs)
    listed = await _listed(world, scope)
    return _with(listed, failing(listed.records))


async def row_of(world: World, name: str, scope: Scope) -> Row:
    """Return the history of one test. NotFoundError and UsageError as `find_test`."""
    repository = await repository_of(world, scope.repository)
    test = await find_test(world, repository, name)
    seen = await _history(world).sightings(repository, branch=scope.branch, test=test, runs=scope.runs)
    if not seen:
        raise NotFoundError(
            f"{in_words(test)} never ran on {scope.branch}", remedy="Leave the branch out, or name another."
        )
    row = sorted(in_one_run(seen), key=lambda one: (one.tested.at, one.tested.attempt), reverse=True)
    return Row(repository=repository, record=records(row)[0], sightings=row)


async def find_test(world: World, repository: str, name: str) -> TestName:
    """Return the test of that name (`name`, `class > name` or `suite: class > name`), known from runs.

    Raises NotFoundError where no run had it, UsageError where several have that name.
    """
    known = {one.test for one in await _history(world).sightings(repository)}
    for spelt in (_in_full, _with_class, _alone):
        found = sorted(test for test in known if spelt(test) == name)
        if len(found) == 1:
            return found[0]
        if found:
            could_be = ", ".join(repr(in_words(test)) for test in found[:10])
            raise UsageError(f"{name!r} could be {could_be}", remedy="Name it in full.")
    raise NotFoundError(
        f"no run of {repository} had a test {name!r}",
        remedy="`conductor tests slowest` lists tests as they are called here.",
    )


async def quarantine(
    world: World, name: str, *, repository: str | None, reason: str, until: datetime | None, principal: str
) -> Quarantined:
    """Put a test that runs know on its repository's list: from now on its failure is a note."""
    if not reason.strip():
        raise UsageError("a test goes into quarantine for a reason", remedy="Say it with --reason.")
    now = world.clock.now()
    if until is not None and until <= now:
        raise UsageError(f"{until:%Y-%m-%d %H:%M} is over already", remedy="Name a time to come.")
    whose = await repository_of(world, repository)
    test = await find_test(world, whose, name)
    entry = Quarantined(
        repository=whose, test=test, reason=reason, added_by=principal, added_at=now, until=until
    )
    await _history(world).quarantine(entry)
    return entry


async def release(world: World, name: str, *, repository: str | None) -> TestName:
    """Take a test off the list. NotFoundError where it is not on it."""
    whose = await repository_of(world, repository)
    listed = {entry.test for entry in await _history(world).quarantined(whose)}
    named = [test for test in listed if name in (_in_full(test), _with_class(test), _alone(test))]
    if len(named) > 1:
        raise UsageError(f"{name!r} could be {_several(named)}", remedy="Name it in full.")
    if not named or not await _history(world).release(whose, named[0]):
        raise NotFoundError(
            f"{name!r} of {whose} is not in quarantine",
            remedy="`conductor tests quarantine list` shows what is.",
        )
    return named[0]


async def quarantined(world: World, *, repository: str | None) -> Sequence[Quarantined]:
    """Return the list of a repository, what is over with it."""
    return await _history(world).quarantined(await repository_of(world, repository))


async def repository_of(world: World, repository: str | None) -> str:
    """Return the repository that was named, or that of the latest run. NotFoundError where there is neither."""
    if repository:
        return repository
    rows = await world.store.list_runs(limit=1)
    if not rows:
        raise NotFoundError("there are no runs yet", remedy="`conductor run .` starts one.")
    return rows[0].run.repository


def in_words(test: TestName) -> str:
    """Name a test in full.

    >>> in_words(TestName(suite="api", classname="cart", name="adds"))
    'api: cart > adds'
    """
    return _in_full(test)


def _in_full(test: TestName) -> str:
    return f"{test.suite}: {_with_class(test)}"


def _with_class(test: TestName) -> str:
    return f"{test.classname} > {test.name}" if test.classname and test.classname != test.name else test.name


def _alone(test: TestName) -> str:
    return test.name


def _several(tests: Iterable[TestName]) -> str:
    return ", ".join(repr(in_words(test)) for test in sorted(tests)[:10])


async def _listed(world: World, scope: Scope) -> Listed:
    repository = await repository_of(world, scope.repository)
    seen = await _history(world).sightings(repository, branch=scope.branch, runs=scope.runs)
    runs = {(one.tested.run, one.tested.attempt) for one in seen}
    return Listed(repository=repository, runs=len(runs), records=records(seen))


def _with(listed: Listed, chosen: Sequence[Record]) -> Listed:
    return Listed(repository=listed.repository, runs=listed.runs, records=chosen)


def _history(world: World) -> History:
    if world.history is None:
        raise NotFoundError("nothing is remembered of tests over runs here", remedy="Use a store that lasts.")
    return world.history
