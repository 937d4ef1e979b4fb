"""The laws of `ports.engine`, one test each: every engine keeps all of them.

A subclass has a fixture `subject`. What a workload does is said in words (`stays`, `ends`, ...), and each engine's subject makes it so.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import pytest

from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.report import LogLine
from conductor.domain.stack import Healthcheck, Job, Network, Restart, Service, Stack
from conductor.domain.states import Health, Phase, States
from conductor.domain.verdict import Fault, Reason
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import Engine, Place
from conductor.ports.terminal import Keys, Size

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENCE = 90.0
"""Seconds: no wait is longer."""
T = TypeVar("T")


class Subject(Protocol):
    """An engine, another of another instance on the same machine, and workloads that do what is said."""

    engine: Engine
    other: Engine
    place: Place
    mixes_streams: bool
    """Whether the engine cannot tell standard error from standard output: then all is the latter."""

    def stays(self, name: str) -> Service: ...
    def ends(self, name: str, code: int) -> Service: ...
    def says(self, name: str, *lines: str, complains: str = "") -> Service: ...
    def lacks_image(self, name: str) -> Service: ...
    def lacks_program(self, name: str) -> Service: ...
    def checked(self, name: str, *, well: bool) -> Service: ...
    def leaves(self, name: str, *files: str, code: int) -> Service: ...


def lease(place: Place, **changes: object) -> Lease:
    made = Lease(
        namespace=place.namespace,
        run=place.run,
        repository="acme/shop",
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    return replace(made, **changes)


async def at_last(subject: Subject, condition: Callable[[States], T]) -> T:
    """Watch until the condition holds; return what it answered."""
    async with asyncio.timeout(PATIENCE), aclosing(subject.engine.watch(subject.place)) as watch:
        async for states in watch:
            if found := condition(states):
                return found
    raise AssertionError("a watch never ends by itself")


def ended(name: str) -> Callable[[States], object]:
    return lambda states: name in states and states[name].phase is Phase.ENDED and states[name]


def running(name: str) -> Callable[[States], object]:
    return lambda states: name in states and states[name].phase is Phase.RUNNING and states[name]


async def all_of(source: AsyncIterator[T]) -> list[T]:
    async with asyncio.timeout(PATIENCE):
        return [item async for item in source]


async def raise_(subject: Subject, *services: Service) -> Stack:
    stack = Stack(name="contract", services=services, networks=(Network(name="default"),))
    await subject.engine.create_namespace(subject.place, lease(subject.place))
    for service in services:
        await subject.engine.apply(subject.place, stack, service)
    return stack


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


class EngineContract:
    async def test_an_applied_service_runs(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        state = await at_last(subject, running("web"))
        assert (state.reason, state.restarts) == (None, 0)
        assert state.started_at is not None

    async def test_what_is_applied_twice_runs_once(self, subject: Subject):
        stack = await raise_(subject, subject.stays("web"))
        before = await at_last(subject, running("web"))
        await subject.engine.apply(subject.place, stack, stack.services[0])
        after = (await subject.engine.states(subject.place))["web"]
        assert after.started_at == before.started_at

    async def test_what_has_ended_is_not_started_again_by_apply(self, subject: Subject):
        stack = await raise_(subject, subject.ends("migrate", 0))
        before = await at_last(subject, ended("migrate"))
        await subject.engine.apply(subject.place, stack, stack.services[0])
        after = (await subject.engine.states(subject.place))["migrate"]
        assert (after.phase, after.started_at) == (Phase.ENDED, before.started_at)

    async def test_an_ending_has_its_exit_code_and_its_time(self, subject: Subject):
        await raise_(subject, subject.ends("web", 3))
        state = await at_last(subject, ended("web"))
        assert (state.exit_code, state.reason) == (3, None)
        assert state.ended_at >= state.started_at

    async def test_an_image_that_cannot_be_had_is_a_state_and_no_exception(self, subject: Subject):
        await raise_(subject, subject.lacks_image("web"))
        state = await at_last(subject, lambda s: "web" in s and s["web"].reason and s["web"])
        assert (state.phase, state.reason, state.fault) == (
            Phase.PENDING,
            Reason.IMAGE_PULL,
            Fault.REPOSITORY,
        )
        assert state.message

    async def test_a_program_that_is_not_there_is_a_state_and_no_exception(self, subject: Subject):
        await raise_(subject, subject.lacks_program("web"))
        state = await at_last(subject, ended("web"))
        assert (state.reason, state.fault) in [
            (Reason.COMMAND_NOT_FOUND, fault) for fault in (Fault.REPOSITORY, None)
        ]

    async def test_a_watch_tells_at_once_and_then_what_changes(self, subject: Subject):
        stack = await raise_(subject, subject.stays("web"))
        seen: list[set[str]] = []
        async with asyncio.timeout(PATIENCE), aclosing(subject.engine.watch(subject.place)) as watch:
            async for states in watch:
                seen.append(set(states))
                if len(seen) == 1:
                    await subject.engine.apply(subject.place, stack, subject.stays("db"))
                if "db" in states:
                    break
        assert seen[0] == {"web"}
        assert seen[-1] == {"web", "db"}

    async def test_a_watch_sees_its_own_namespace_only(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        elsewhere = replace(subject.place, namespace=f"{subject.place.namespace}-2")
        assert await subject.engine.states(elsewhere) == {}

    async def test_a_service_whose_check_passes_is_healthy_while_watched(self, subject: Subject):
        await raise_(subject, subject.checked("web", well=True))
        state = await at_last(
            subject, lambda s: "web" in s and s["web"].health is Health.HEALTHY and s["web"]
        )
        assert state.phase is Phase.RUNNING

    async def test_a_service_whose_check_fails_is_unhealthy_after_its_retries(self, subject: Subject):
        await raise_(subject, subject.checked("web", well=False))
        state = await at_last(
            subject, lambda s: "web" in s and s["web"].health is Health.UNHEALTHY and s["web"]
        )
        assert state.phase is Phase.RUNNING

    async def test_a_service_without_a_check_has_no_health(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        assert (await at_last(subject, running("web"))).health is Health.NONE

    async def test_logs_are_whole_lines_in_order_with_their_streams(self, subject: Subject):
        await raise_(subject, subject.says("web", "one", "", "three", complains="ow"))
        await at_last(subject, ended("web"))
        lines = await all_of(subject.engine.logs(subject.place, "web"))
        assert [line.text for line in lines if line.text != "ow"] == ["one", "", "three"]
        streams = {line.text: line.stream for line in lines}
        apart = {"one": "stdout", "": "stdout", "three": "stdout", "ow": "stderr"}
        assert streams == (dict.fromkeys(apart, "stdout") if subject.mixes_streams else apart)
        assert [line.at for line in lines] == sorted(line.at for line in lines)

    async def test_logs_go_on_strictly_after_a_line(self, subject: Subject):
        await raise_(subject, subject.says("web", *"abcdefgh"))
        await at_last(subject, ended("web"))
        lines = await all_of(subject.engine.logs(subject.place, "web"))
        for number, line in enumerate(lines):
            rest = await all_of(subject.engine.logs(subject.place, "web", since=line.at))
            assert texts(rest) == texts(lines[number + 1 :])

    async def test_followed_logs_end_when_the_workload_ends(self, subject: Subject):
        await raise_(subject, subject.says("web", "first", "last"))
        lines = await all_of(subject.engine.logs(subject.place, "web", follow=True))
        assert texts(lines) == ["first", "last"]

    async def test_a_workload_that_never_started_has_no_log(self, subject: Subject):
        await raise_(subject, subject.lacks_image("web"))
        assert await all_of(subject.engine.logs(subject.place, "web", follow=True)) == []
        assert await all_of(subject.engine.logs(subject.place, "nobody")) == []

    async def test_exec_where_nothing_runs_is_not_found(self, subject: Subject):
        await raise_(subject, subject.ends("web", 0))
        await at_last(subject, ended("web"))
        for workload in ("web", "nobody"):
            with pytest.raises(NotFoundError):
                await subject.engine.exec(subject.place, workload, ["true"])

    async def test_a_job_is_started_once(self, subject: Subject):
        stack = await raise_(subject, subject.stays("web"))
        job = Job(workload=subject.ends("tests", 1), time_limit=timedelta(minutes=1))
        await subject.engine.start_job(subject.place, stack, job)
        before = await at_last(subject, ended("tests"))
        await subject.engine.start_job(subject.place, stack, job)
        after = (await subject.engine.states(subject.place))["tests"]
        assert (after.started_at, after.exit_code) == (before.started_at, 1)

    @pytest.mark.parametrize("code", [0, 1])
    async def test_what_a_job_leaves_is_collected_however_it_ended(self, subject: Subject, code: int):
        stack = await raise_(subject)
        left = subject.leaves(
            "tests", "reports/unit/a.xml", "reports/b.txt", "coverage/deep/index.html", code=code
        )
        job = Job(
            workload=left,
            time_limit=timedelta(minutes=1),
            reports=("reports/**/*.xml",),
            artifacts=("coverage/", "nothing/"),
        )
        await subject.engine.start_job(subject.place, stack, job)
        assert (await at_last(subject, ended("tests"))).exit_code == code
        archive = b"".join(await all_of(subject.engine.collect(subject.place, job)))
        with tarfile.open(fileobj=io.BytesIO(archive)) as collected:
            names = {member.name for member in collected if member.isfile()}
        assert names == {"reports/unit/a.xml", "coverage/deep/index.html"}

    async def test_a_job_that_never_was_leaves_an_empty_archive(self, subject: Subject):
        await raise_(subject)
        job = Job(workload=subject.ends("tests", 0), time_limit=timedelta(minutes=1), reports=("*.xml",))
        archive = b"".join(await all_of(subject.engine.collect(subject.place, job)))
        with tarfile.open(fileobj=io.BytesIO(archive)) as collected:
            assert collected.getmembers() == []

    async def test_a_stopped_workload_has_ended_and_no_reason_is_made_up(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        await at_last(subject, running("web"))
        await subject.engine.stop(subject.place, "web", grace=timedelta(seconds=1))
        state = await at_last(subject, ended("web"))
        assert state.reason is None

    async def test_stopping_what_has_ended_or_is_unknown_does_nothing(self, subject: Subject):
        await raise_(subject, subject.ends("web", 3))
        before = await at_last(subject, ended("web"))
        for workload in ("web", "nobody"):
            await subject.engine.stop(subject.place, workload, grace=timedelta(seconds=1))
        assert (await subject.engine.states(subject.place)) == {"web": before}

    async def test_a_stack_sleeps_and_wakes_and_what_had_ended_stays_ended(self, subject: Subject):
        await raise_(subject, subject.stays("web"), subject.ends("migrate", 0))
        await at_last(subject, lambda s: running("web")(s) and ended("migrate")(s))
        await subject.engine.sleep(subject.place)
        asleep = await subject.engine.states(subject.place)
        assert {name: state.phase for name, state in asleep.items()} == {
            "web": Phase.SLEEPING,
            "migrate": Phase.ENDED,
        }
        for service in ("migrate", "web"):
            await subject.engine.wake(subject.place, service)
        await at_last(subject, running("web"))
        awake = await subject.engine.states(subject.place)
        assert awake["migrate"] == asleep["migrate"]

    async def test_a_service_that_always_restarts_sleeps_too(self, subject: Subject):
        await raise_(subject, replace(subject.ends("web", 1), restart=Restart.ALWAYS))
        await at_last(subject, lambda s: "web" in s and s["web"].restarts > 0)
        await subject.engine.sleep(subject.place)
        assert (await subject.engine.states(subject.place))["web"].phase is Phase.SLEEPING

    async def test_a_service_that_restarts_tells_how_often_and_how_it_ended(self, subject: Subject):
        await raise_(subject, replace(subject.ends("web", 5), restart=Restart.ALWAYS))
        state = await at_last(subject, lambda s: "web" in s and s["web"].restarts >= 3 and s["web"])
        assert state.exit_code == 5
        assert state.phase is not Phase.ENDED

    async def test_a_mark_is_read_as_it_was_written(self, subject: Subject):
        await raise_(subject)
        pinned = lease(
            subject.place, expires_at=None, status=NamespaceStatus.KEPT, branch="main", principal="ada"
        )
        await subject.engine.mark(pinned)
        (found,) = [n for n in await subject.engine.namespaces() if n.name == subject.place.namespace]
        assert (found.lease, found.run) == (pinned, subject.place.run)

    async def test_what_does_not_exist_cannot_be_marked(self, subject: Subject):
        with pytest.raises(NotFoundError):
            await subject.engine.mark(lease(subject.place))

    async def test_making_a_namespace_again_renews_its_mark_and_nothing_else(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        before = await at_last(subject, running("web"))
        later = lease(subject.place, expires_at=NOW + timedelta(hours=9))
        await subject.engine.create_namespace(subject.place, later)
        (found,) = [n for n in await subject.engine.namespaces() if n.name == subject.place.namespace]
        assert found.lease == later
        assert await subject.engine.states(subject.place) == {"web": before}

    async def test_another_instance_is_neither_seen_nor_touched(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        await at_last(subject, running("web"))
        assert subject.place.namespace not in {n.name for n in await subject.other.namespaces()}
        assert await subject.other.delete_namespace(subject.place.namespace) == 0
        assert (await subject.engine.states(subject.place))["web"].phase is Phase.RUNNING

    async def test_a_deleted_namespace_is_gone_and_deleting_it_again_is_nothing(self, subject: Subject):
        await raise_(subject, subject.stays("web"), subject.ends("migrate", 0), subject.lacks_image("db"))
        assert await subject.engine.delete_namespace(subject.place.namespace) >= 3
        assert await subject.engine.states(subject.place) == {}
        assert subject.place.namespace not in {n.name for n in await subject.engine.namespaces()}
        assert await subject.engine.delete_namespace(subject.place.namespace) == 0

    async def test_rendering_is_repeatable_and_tells_of_every_workload(self, subject: Subject):
        stack = Stack(name="contract", services=(subject.stays("web"), subject.checked("db", well=True)))
        job = Job(workload=subject.ends("tests", 0), time_limit=timedelta(minutes=1))
        shown = subject.engine.render(subject.place, stack, [job])
        assert shown == subject.engine.render(subject.place, stack, [job])
        assert all(name in str(shown) for name in ("web", "db", "tests"))

    async def test_an_engine_without_addresses_says_how_else_a_service_is_reached(self, subject: Subject):
        with pytest.raises(RefusedError) as refused:
            await subject.engine.address_of(
                subject.place, Stack(name="contract", services=(subject.stays("web"),)), "web"
            )
        assert "conductor stacks open" in refused.value.remedy

    async def test_doctor_is_answered_in_words(self, subject: Subject):
        lines = await subject.engine.diagnose()
        assert lines
        assert all(line.subject and line.detail for line in lines)


QUICK_CHECK = Healthcheck(
    test=("CMD", "true"), interval=timedelta(seconds=0.3), timeout=timedelta(seconds=5), retries=2
)


class Typist:
    """A terminal at which these keys are typed. It keeps what it was shown."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self.shown = b""

    @asynccontextmanager
    async def connected(self, *, keys: Keys, size: Size) -> AsyncIterator[None]:
        await size(97, 31)
        await keys(self._keys)
        yield

    async def write(self, data: bytes) -> None:
        self.shown += data


class TerminalContract:
    """Where commands really run: they have somebody's terminal."""

    async def test_a_command_reads_what_is_typed_and_its_exit_code_is_the_answer(self, subject: Subject):
        await raise_(subject, subject.stays("web"))
        await at_last(subject, running("web"))
        typist = Typist(b"hello\n")
        script = 'read line; echo "it was $line"; exit 3'
        async with asyncio.timeout(PATIENCE):
            code = await subject.engine.attach(subject.place, "web", ["sh", "-c", script], typist)
        assert (code, b"it was hello" in typist.shown) == (3, True)
