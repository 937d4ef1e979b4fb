"""The commands, put together. Importing this is all that `--help` costs: what a command needs it imports when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from conductor.cli.commands import (
    convert,
    deliver,
    doctor,
    env,
    gate,
    github,
    hook,
    issues,
    login,
    mcp,
    migrate,
    queue,
    repository,
    run,
    runs,
    secrets,
    serve,
    stacks,
    sweep,
    tests,
    tokens,
    version,
)
from conductor.cli.session import Session

EXIT_CODES = "Exit codes: 0 passed, 1 failed, 2 usage or configuration, 3 broken, 4 unreachable, 130 interrupted or cancelled."

app = typer.Typer(
    name="conductor",
    help="Integration tests in a stack of their own, with a verdict.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
StateOption = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Where Conductor keeps its records on this machine."),
]


@app.callback()
def conductor(
    context: typer.Context,
    state: StateOption = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            envvar="CONDUCTOR_SERVER",
            metavar="URL",
            help="Ask this server instead of this machine.",
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more, also of mistakes.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=version.print_and_leave, help="Print the version."),
    ] = False,
) -> None:
    """Take what stands before the command's name."""
    context.obj = Session(state=state, verbose=verbose, server=server or None)


app.command("init")(repository.init)
app.command("check")(repository.check)
app.command("convert")(convert.convert)
app.command("run")(run.run)
app.add_typer(github.app, name="github")
app.add_typer(runs.app, name="runs")
app.add_typer(stacks.app, name="stacks")
app.add_typer(tests.app, name="tests")
app.add_typer(issues.app, name="issues")
app.add_typer(env.app, name="env")
app.add_typer(secrets.app, name="secrets")
app.command("queue")(queue.queue)
app.add_typer(tokens.app, name="tokens")
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command("deliver")(deliver.deliver)
app.add_typer(hook.app, name="hook")
app.command("mcp")(mcp.mcp)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("migrate")(migrate.migrate)
app.command("version")(version.version)
app.command("gate", hidden=True)(gate.gate)
app.command("sweep", hidden=True)(sweep.sweep)
