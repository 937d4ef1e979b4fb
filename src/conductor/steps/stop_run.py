"""stop-run: the run and its children are cancelled, so that nothing new starts."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import structlog

from conductor.domain.run import Run
from conductor.durable import cancel, executor, is_alive, step
from conductor.errors import ConductorError, NotFoundError
from conductor.ports.world import the_world

UNTIL_ANOTHER_PROCESS_SEES_IT = timedelta(seconds=1)
"""`durable.cancel` cuts what runs here at once, and elsewhere within this time."""
_log = structlog.get_logger(__name__)


@step("stop-run")
async def stop_run(run: Run) -> None:
    """Cancel the run with all its attempts, and return once no process is at it any more."""
    with suppress(NotFoundError):  # it was asked for and never started
        await cancel(run.first_attempt.workflow_id)
    row = await the_world().store.find_run(run.id, attempt=run.attempt)
    if row and row.executor not in ("", executor()) and await is_alive(row.executor):
        await the_world().clock.sleep(UNTIL_ANOTHER_PROCESS_SEES_IT)
    try:
        await the_world().secrets.abandon(run)
    except ConductorError as error:  # what is left of it ends by itself, and with the namespace
        _log.warning("a sync of secrets could not be stopped", error=str(error))
