"""conductor run: from a folder or a repository to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from conductor.cli.again import StageWord, run_again
from conductor.cli.arguments import duration, published, variable
from conductor.cli.desk.starting import run_there
from conductor.cli.notice import Notice
from conductor.cli.session import running, session_of

if TYPE_CHECKING:
    from conductor.bootstrap import App
    from conductor.operations.start_run import RunRequest

CleanupWord = Literal["keep", "on-success", "always"]
_RERUN_TAKES = {"location", "rerun_failed", "stage", "as_json"}


def run(  # noqa: PLR0917 -- what is typed, not what is called
    context: typer.Context,
    location: Annotated[
        str, typer.Argument(metavar="LOCATION", help="A folder, or a URL that git understands.")
    ] = ".",
    ref: Annotated[
        str | None,
        typer.Option(
            "--ref", metavar="REF", help="A tag, branch or commit; without it a folder's working tree."
        ),
    ] = None,
    environment: Annotated[
        str, typer.Option("--env", metavar="NAME", help="Which suffix the secrets have: qa is NAME_QA.")
    ] = "qa",
    env_files: Annotated[
        list[Path] | None,
        typer.Option("--env-file", metavar="FILE", help="Secrets as NAME=VALUE lines. Repeatable."),
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A variable for the compose files; no secrets. Repeatable."
        ),
    ] = None,
    no_cleanup: Annotated[
        bool, typer.Option("--no-cleanup", help="Keep the stack, whatever the file says.")
    ] = False,
    cleanup: Annotated[
        CleanupWord | None, typer.Option("--cleanup", help="What happens to the stack after the verdict.")
    ] = None,
    keep_for: Annotated[
        timedelta | None,
        typer.Option(
            "--keep-for",
            parser=duration,
            metavar="DURATION",
            help="How long a kept stack lives, such as 24h.",
        ),
    ] = None,
    publish: Annotated[
        list[str] | None,
        typer.Option(
            "--publish",
            metavar="SERVICE:PORT[=HOSTPORT]",
            parser=published,
            help="Open a service's port on 127.0.0.1. Repeatable.",
        ),
    ] = None,
    rerun_failed: Annotated[
        bool,
        typer.Option("--rerun-failed", help="Only what failed in the latest run here, in its kept stack."),
    ] = False,
    stage: Annotated[
        StageWord | None,
        typer.Option("--from", help="The latest run here once more, from this stage on, with its images."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print events as JSON, one a line; the last is the outcome.")
    ] = False,
) -> None:
    """Run a repository's integration tests, to a verdict.

    The whole stack of its compose file is raised for them, and kept or removed by the rule of .conductor.yaml.
    """
    if rerun_failed or stage:
        _refuse_what_a_rerun_has(context)
        raise typer.Exit(
            run_again(
                context,
                None,
                location=_location(location),
                stage=stage or "tests",
                failed_only=rerun_failed,
                as_json=as_json,
            )
        )
    if no_cleanup and cleanup not in (None, "keep"):
        raise typer.BadParameter(f"--no-cleanup and --cleanup {cleanup} contradict each other.")
    rule = "keep" if no_cleanup else cleanup
    pairs = tuple(variable(text) for text in variables or ())

    there = session_of(context).server is not None

    def asked() -> RunRequest:
        from conductor.domain.run import Cleanup
        from conductor.operations.start_run import RunRequest

        return RunRequest(
            location=location if there else _location(location),
            ref=ref,
            environment=environment,
            cleanup=Cleanup(rule) if rule else None,
            keep_for=keep_for,
            env_files=tuple(str(file.absolute()) for file in env_files or ()),
            variables=pairs,
            publish=tuple(publish or ()),
        )

    carry_out = run_there if there else _carry_out
    raise typer.Exit(carry_out(context, asked, as_json=as_json))


def _carry_out(context: typer.Context, asked: Callable[[], RunRequest], *, as_json: bool) -> int:
    with Notice("starting ...", as_json=as_json) as notice:
        from conductor.cli.accompany import accompany
        from conductor.operations import start_run

        async def work(app: App) -> int:
            run = await start_run.request(app.world, asked())
            handle = await start_run.start_or_resume(app.world, run)
            notice.clear()
            return (await accompany(app, run, handle, as_json=as_json)).exit_code

        return running(context, work)


def _refuse_what_a_rerun_has(context: typer.Context) -> None:
    """Refuse options that say how a new run is made: a rerun is made like the one before."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE" and name not in _RERUN_TAKES:
            raise typer.BadParameter(
                f"{parameter.opts[0]} is for new runs; a rerun has what the run before it had."
            )


def _location(text: str) -> str:
    """Keep what git calls a URL; make a folder's path absolute."""
    is_url = "://" in text or ("@" in text.partition("/")[0] and ":" in text)
    return text if is_url else str(Path(text).expanduser().absolute())
