"""Steps: what is done once, recorded under a name of its own, failure and all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

import structlog
from dbos import DBOS, StepOptions

from conductor.domain.event import Event, Kind, StepRecord, Told
from conductor.durable.codec import Plain, Signature, decode, decode_error, encode, encode_error
from conductor.durable.room import is_cancelled
from conductor.durable.troubles import as_ours
from conductor.errors import ConductorError
from conductor.ports.world import the_world

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Told)

PAUSES = (timedelta(seconds=0.5), timedelta(seconds=2), timedelta(seconds=8))
"""How long is waited before each of the three further tries of what is `retryable`."""

_log = structlog.get_logger(__name__)


def step(
    name: str, *, subject: Callable[..., str] | None = None
) -> Callable[
    [Callable[Concatenate[R, P], Awaitable[T]]], Callable[Concatenate[R, P], Coroutine[Any, Any, T]]
]:
    """Make a step of `async def f(run, ...) -> T`, recorded as `name`.

    `run` is a run or an environment; `subject` works out for which of several from its arguments.

    Outside of a workflow it is done and shown, but not recorded.
    """

    def decorate(
        function: Callable[Concatenate[R, P], Awaitable[T]],
    ) -> Callable[Concatenate[R, P], Coroutine[Any, Any, T]]:
        made = _Step(name, function, subject)

        @wraps(function)
        async def call(run: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return await made(run, partial(function, run, *args, **kwargs), *args, **kwargs)

        return call

    return decorate


@dataclass
class _Step(Generic[T]):
    name: str
    function: Callable[..., Awaitable[T]]
    subject: Callable[..., str] | None

    @cached_property
    def result(self) -> Any:
        return Signature.of(self.function).result

    async def __call__(
        self, run: Told, body: Callable[[], Awaitable[T]], *args: object, **kwargs: object
    ) -> T:
        subject = self.subject(run, *args, **kwargs) if self.subject else ""
        doing = _Doing(run, self.name, subject, self.result)
        once = partial(doing.do, body)
        record = (
            await DBOS.run_step_async(StepOptions(name=self.name), once) if DBOS.workflow_id else await once()
        )
        await doing.show_end(record)
        return cast("T", reveal(record, self.result))


def reveal(record: Plain, annotation: Any) -> Any:
    """Return the recorded value, or raise the recorded error."""
    if "error" in record:
        raise decode_error(record["error"])
    return decode(record["value"], annotation)


def refuse_if_cut() -> None:
    """Raise `CancelledError` in a task that was cut off: what goes wrong while it leaves is no failure of what it did."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def conceal(run: Told, error: Exception) -> Plain:
    """Make a record of an error. One that is not ours is a mistake of ours: its traceback goes to the log only."""
    mask = the_world().secrets.masker(run.id)
    error = as_ours(error)
    if not isinstance(error, ConductorError):
        _log.error(
            "unexpected", error=mask(f"{type(error).__name__}: {error}"), traceback=mask(_traceback(error))
        )
        error = ConductorError(
            f"{type(error).__name__}: {error}",
            remedy="This is a defect of Conductor: report it, with its log.",
        )
    return {"error": encode_error(error, mask)}


@dataclass(slots=True)
class _Doing:
    """One doing of a step, for one run and subject; or one look at its record, where it was done before."""

    run: Told
    name: str
    subject: str
    result: Any
    is_fresh: bool = False
    """Whether it was done here and now: then nobody can have shown its end."""

    async def do(self, body: Callable[[], Awaitable[object]]) -> Plain:
        """Do it, show its start, and return the record: value or error, and its times."""
        began = the_world().clock.now()
        self.is_fresh = True
        with structlog.contextvars.bound_contextvars(
            run=self.run.id, attempt=self.run.attempt, step=self.name, subject=self.subject
        ):
            try:
                await self._show_start(began)
                record = {"value": encode(await self._try(body), self.result)}
            except asyncio.CancelledError:
                await self._show_cut(began)
                raise
            except Exception as error:  # noqa: BLE001 -- around a step: its failure is recorded
                refuse_if_cut()
                record = conceal(self.run, error)
        return {**record, "began": began.isoformat(), "ended": the_world().clock.now().isoformat()}

    async def show_end(self, record: Plain) -> None:
        """Show the end of what is on record, and only of that: what is shown as ended is never done again.

        A replay shows it where the process that did it was killed before it could.
        """
        began, ended = (datetime.fromisoformat(record[when]) for when in ("began", "ended"))
        error = record.get("error", {}).get("fields", {}).get("message", "")
        try:
            if self.is_fresh or not await self._is_shown():
                await self._show(began, ended, error)
        except ConductorError as failure:
            _log.warning("the end of a step could not be shown", step=self.name, error=str(failure))

    async def _try(self, body: Callable[[], Awaitable[object]]) -> object:
        for pause in PAUSES:
            try:
                return await body()
            except ConductorError as error:
                if not error.retryable:
                    raise
                mask = the_world().secrets.masker(self.run.id)
                _log.warning("trying again", error=mask(str(error)), after_seconds=pause.total_seconds())
            await the_world().clock.sleep(pause)
        return await body()

    async def _show_start(self, began: datetime) -> None:
        told = self._event("started", began, Kind.STEP_STARTED, {})
        await the_world().store.show_step(self._record(began), told)

    async def _is_shown(self) -> bool:
        shown = await the_world().store.steps(self.run.id, self.run.attempt)
        return any((one.name, one.subject) == (self.name, self.subject) and one.ended_at for one in shown)

    async def _show(self, began: datetime, ended: datetime, error: str) -> None:
        data: dict[str, Any] = {"seconds": (ended - began).total_seconds()}
        if error:
            data["error"] = error
        told = self._event("ended", ended, Kind.STEP_ENDED, data)
        await the_world().store.show_step(self._record(began, ended, error), told)

    async def _show_cut(self, began: datetime) -> None:
        """Show the end of a step whose workflow was cancelled; one cut off by a shutdown has not ended."""
        if is_cancelled(DBOS.workflow_id):
            ended = the_world().clock.now()
            await asyncio.shield(asyncio.ensure_future(self._show(began, ended, "cancelled")))

    def _record(self, began: datetime, ended: datetime | None = None, error: str = "") -> StepRecord:
        return StepRecord(
            run=self.run.id,
            attempt=self.run.attempt,
            name=self.name,
            subject=self.subject,
            started_at=began,
            ended_at=ended,
            error=error,
        )

    def _event(self, what: str, at: datetime, kind: Kind, data: dict[str, Any]) -> Event:
        key = f"step/{self.run.attempt}/{self.name}/{self.subject}/{what}"
        of = {"subject": self.subject} if self.subject else {}
        return Event(run=self.run.id, key=key, at=at, kind=kind, subject=self.name, data={**of, **data})


def _traceback(error: Exception) -> str:
    import traceback  # noqa: PLC0415 -- needed for mistakes only

    return "".join(traceback.format_exception(error))
