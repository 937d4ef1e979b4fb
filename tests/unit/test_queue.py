"""Who runs next: the laws of the queue, for any queue."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.domain.lease import Lease, NamespaceInfo, NamespaceStatus
from conductor.domain.queue import Entry, Limits, Standing, decide, places
from conductor.domain.trigger import Priority

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNLIMITED = Limits()


def an_entry(arrival: int, repository: str = "acme/shop", branch: str = "", **changes: object) -> Entry:
    entry = Entry(
        run=f"run-{arrival}",
        attempt=1,
        repository=repository,
        branch=branch,
        commit="c" * 40,
        arrival=arrival,
        enqueued_at=NOON,
    )
    return replace(entry, **changes)


def active(entry: Entry, *, minutes: int = 0) -> Entry:
    return replace(entry, standing=Standing.ACTIVE, admitted_at=NOON - timedelta(minutes=minutes))


def a_stack(run: str, status: NamespaceStatus, *, pinned: bool = False) -> NamespaceInfo:
    lease = Lease(
        namespace=f"conductor-{run}",
        run=run,
        repository="acme/shop",
        created_at=NOON,
        expires_at=None if pinned else NOON,
        status=status,
    )
    return NamespaceInfo(name=lease.namespace, run=run, lease=lease)


@st.composite
def queues(draw: st.DrawFn) -> list[Entry]:
    """Any queue that can come about: of one branch at most one is active."""
    busy: set[tuple[str, str]] = set()
    entries = []
    for arrival in range(1, draw(st.integers(0, 40)) + 1):
        repository = draw(st.sampled_from(("acme/shop", "Acme/Shop", "acme/api", "acme/web")))
        branch = draw(st.sampled_from(("", "main", "dev", "next")))
        entry = an_entry(arrival, repository, branch, priority=draw(st.sampled_from(Priority)))
        key = (repository.lower(), branch)
        if (not branch or key not in busy) and draw(st.booleans()):
            busy.add(key)
            entry = active(entry)
        entries.append(entry)
    turns = {name: draw(st.integers(0, 50)) for name in sorted({one.repository.lower() for one in entries})}
    return [replace(one, last_turn=turns[one.repository.lower()]) for one in entries]


most = st.none() | st.integers(0, 8)
limits = st.builds(Limits, runs=most, runs_per_repository=most, namespaces=most, draining=st.just(False))


def after(entries: Sequence[Entry], chosen: Sequence[Entry]) -> list[Entry]:
    """The queue once the chosen ones are active; repositories have had their turn."""
    latest = max((one.last_turn for one in entries), default=0)
    turns = {one.repository.lower(): latest + n for n, one in enumerate(chosen, start=1)}
    now = [active(one) if one in chosen else one for one in entries]
    return [replace(one, last_turn=turns.get(one.repository.lower(), one.last_turn)) for one in now]


@given(queues(), limits)
def test_no_more_are_admitted_than_the_limits_allow(entries: list[Entry], limits: Limits):
    chosen = decide(entries, limits)
    at_work = [one for one in after(entries, chosen) if one.standing is Standing.ACTIVE]
    assert all(one.standing is Standing.WAITING for one in chosen)
    for bound in (limits.runs, limits.namespaces):
        assert bound is None or not chosen or len(at_work) <= bound
    of_repository = Counter(one.repository.lower() for one in at_work)
    for one in chosen:
        bound = limits.runs_per_repository
        assert bound is None or of_repository[one.repository.lower()] <= bound


@given(queues(), limits)
def test_two_of_one_branch_are_never_active_and_the_older_goes_first(entries: list[Entry], limits: Limits):
    chosen = decide(entries, limits)
    of_branch = Counter(
        (one.repository.lower(), one.branch)
        for one in after(entries, chosen)
        if one.standing is Standing.ACTIVE and one.branch
    )
    assert all(number == 1 for number in of_branch.values())
    for one in (one for one in chosen if one.branch):
        rivals = (
            other
            for other in entries
            if (other.repository.lower(), other.branch) == (one.repository.lower(), one.branch)
        )
        assert one.arrival == min(other.arrival for other in rivals if other.standing is Standing.WAITING)


@given(queues(), limits, st.randoms(use_true_random=False))
def test_the_decision_hangs_on_nothing_but_the_queue(entries: list[Entry], limits: Limits, chance: object):
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert decide(shuffled, limits) == decide(entries, limits)


@given(queues())
def test_nobody_who_could_run_is_left_waiting_where_there_are_no_limits(entries: list[Entry]):
    still = after(entries, decide(entries, UNLIMITED))
    busy = {(one.repository.lower(), one.branch) for one in still if one.standing is Standing.ACTIVE}
    left = [one for one in still if one.standing is Standing.WAITING]
    assert all(one.branch and (one.repository.lower(), one.branch) in busy for one in left)


@given(queues())
def test_a_server_that_drains_admits_nobody(entries: list[Entry]):
    assert not decide(entries, Limits(draining=True))
    assert {one.reason for one in places(entries, Limits(draining=True), {}, now=NOON)} <= {
        "the server is draining: nothing new begins"
    }


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60), st.integers(1, 3))
@settings(deadline=None)
def test_each_repository_that_waits_is_served_within_as_many_admissions_as_there_are(
    names: list[str], slots: int
):
    entries = [an_entry(arrival, name) for arrival, name in enumerate(names, start=1)]
    repositories = len(set(names))
    waits: Counter[str] = Counter()
    while entries:
        chosen = decide(entries, Limits(runs=slots))
        assert chosen
        for one in chosen:
            waits.update({other.repository for other in entries if other not in chosen})
            waits[one.repository] = 0
        assert all(number <= repositories for number in waits.values())
        entries = [one for one in after(entries, chosen) if one.standing is Standing.WAITING]
        waits = Counter({name: n for name, n in waits.items() if any(e.repository == name for e in entries)})


def test_a_repository_with_fewer_active_runs_goes_first_and_higher_priorities_before_all():
    entries = [
        active(an_entry(1, "a")),
        an_entry(2, "a"),
        an_entry(3, "b"),
        an_entry(4, "c", priority=Priority.LOW),
        an_entry(5, "a", priority=Priority.HIGH),
    ]
    assert [one.arrival for one in decide(entries, Limits(runs=4))] == [5, 3, 2]


def test_an_urgent_run_brings_those_forward_that_its_branch_puts_before_it():
    entries = [
        an_entry(1, branch="dev"),
        an_entry(2, branch="main"),
        an_entry(3, branch="main", priority=Priority.HIGH),
    ]
    assert [one.arrival for one in decide(entries, Limits(runs=1))] == [2]


def test_stacks_that_never_go_take_room_and_kept_ones_do_not():
    entries = [active(an_entry(1)), an_entry(2)]
    mine = a_stack("run-1", NamespaceStatus.ACTIVE)
    kept = a_stack("kept", NamespaceStatus.KEPT)
    pinned = a_stack("pinned", NamespaceStatus.KEPT, pinned=True)
    others = a_stack("at-the-desk", NamespaceStatus.ACTIVE)
    budget = Limits(namespaces=2)
    assert [one.arrival for one in decide(entries, budget, stacks=[mine, kept])] == [2]
    for staying in (pinned, others):
        assert not decide(entries, budget, stacks=[mine, staying])
        (place,) = places(entries, budget, {}, now=NOON, stacks=[mine, staying])
        assert place.reason == "2 of 2 stacks are at work or pinned"


def test_who_waits_is_told_for_what_in_which_order_and_for_how_long():
    entries = [
        active(an_entry(1, "a", "main"), minutes=4),
        an_entry(2, "a", "main"),
        active(an_entry(3, "a", "dev"), minutes=1),
        an_entry(4, "b", "main"),
        an_entry(5, "b", "main"),
        an_entry(6, "b"),
    ]
    told = places(entries, Limits(runs=2), {"a": (600.0, 600.0, 900.0), "b": (300.0,)}, now=NOON)
    assert [(one.position, one.entry.arrival, one.reason, one.estimate) for one in told] == [
        (1, 4, "2 of 2 runs are active", timedelta(minutes=6)),
        (2, 2, "run run-1 of branch main is still active", timedelta(minutes=9)),
        (3, 5, "run run-4 of branch main is before it", timedelta(minutes=11)),
        (4, 6, "2 of 2 runs are active", timedelta(minutes=16)),
    ]


def test_the_limit_of_a_repository_is_named():
    entries = [active(an_entry(1, "a")), an_entry(2, "a")]
    (place,) = places(entries, Limits(runs_per_repository=1), {}, now=NOON)
    assert (place.reason, place.estimate) == ("1 of 1 runs of a are active", None)


@given(queues(), limits)
@settings(deadline=None)
def test_everybody_who_waits_has_one_place_and_the_chosen_come_first(entries: list[Entry], limits: Limits):
    told = places(entries, limits, {"acme/shop": (60.0,)}, now=NOON)
    assert [one.position for one in told] == list(range(1, len(told) + 1))
    waiting = sorted(one.arrival for one in entries if one.standing is Standing.WAITING)
    assert sorted(one.entry.arrival for one in told) == waiting
    chosen = decide(entries, limits)
    assert [one.entry for one in told][: len(chosen)] == list(chosen)
    assert all(one.reason for one in told)
