"""`conductor run` and its reruns on a server: asked for, accompanied, and answered with the verdict's exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from conductor.cli.notice import Notice
from conductor.cli.session import asking_there

if TYPE_CHECKING:
    from conductor.cli.desk.there import DeskThere
    from conductor.operations.start_run import RunRequest


def run_there(context: typer.Context, asked: Callable[[], RunRequest], *, as_json: bool) -> int:
    """Have a new run started there and be with it. UsageError for what only this machine has."""
    with Notice("starting ...", as_json=as_json) as notice:
        from conductor.cli.desk.company import accompany

        async def work(desk: DeskThere) -> int:
            request = asked()
            _refuse_what_is_here(request)
            row = await desk.start(request)
            notice.clear()
            return (await accompany(desk, row.run, as_json=as_json)).exit_code

        return asking_there(context, work)


def rerun_there(
    context: typer.Context, name: str | None, *, stage: str, failed_only: bool, as_json: bool
) -> int:
    """Have a run's tests run again there and be with them."""
    with Notice("starting ...", as_json=as_json) as notice:
        from conductor.cli.desk.company import accompany

        async def work(desk: DeskThere) -> int:
            row = await desk.rerun(name, failed_only=failed_only, stage=stage)
            after = await desk.last_event(row.run)
            notice.clear()
            return (await accompany(desk, row.run, as_json=as_json, after=after)).exit_code

        return asking_there(context, work)


def _refuse_what_is_here(asked: RunRequest) -> None:
    from conductor.errors import UsageError

    if asked.env_files or asked.publish:
        raise UsageError(
            "--env-file and --publish are of this machine, and the run is the server's",
            remedy="Secrets come from where the server has them; `conductor stacks open` opens ports.",
        )
    if asked.location in ("", "."):
        raise UsageError(
            "a server runs repositories, not folders of this machine",
            remedy="Name the repository as the server knows it: conductor run OWNER/NAME --ref TAG.",
        )
