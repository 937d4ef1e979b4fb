"""Run again: what `conductor run --rerun-failed`, `conductor run --from` and `conductor runs rerun` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import typer

from conductor.cli.desk.starting import rerun_there
from conductor.cli.notice import Notice
from conductor.cli.session import running, session_of

if TYPE_CHECKING:
    from conductor.bootstrap import App

StageWord = Literal["build", "stack", "tests"]


def run_again(
    context: typer.Context,
    name: str | None,
    *,
    location: str | None = None,
    stage: StageWord,
    failed_only: bool,
    as_json: bool,
) -> int:
    """Accept the rerun, be with it to its verdict, and return the exit code."""
    if session_of(context).server is not None:
        return rerun_there(context, name, stage=stage, failed_only=failed_only, as_json=as_json)
    with Notice("starting ...", as_json=as_json) as notice:
        from conductor.cli.accompany import accompany
        from conductor.domain.run import Stage
        from conductor.operations import rerun

        async def work(app: App) -> int:
            run = await rerun.request(
                app.world, name, location=location, from_stage=Stage(stage), failed_only=failed_only
            )
            after = await rerun.last_event(app.world, run)
            handle = await rerun.begin(run)
            notice.clear()
            return (await accompany(app, run, handle, as_json=as_json, after=after)).exit_code

        return running(context, work)
