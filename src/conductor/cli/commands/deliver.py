"""conductor deliver: a recorded payload to a server, as its forge would send it; or what a post-receive hook was told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.commands.options import AsJson

if TYPE_CHECKING:
    from conductor.operations.deliver import Destination

HERE = "http://127.0.0.1:8000"


def deliver(  # noqa: PLR0917 -- what is typed, not what is called
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The payload; `-` is standard input.")
    ] = None,
    server: Annotated[
        str, typer.Option("--server", envvar="CONDUCTOR_SERVER", metavar="URL", help="Where it goes.")
    ] = HERE,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="Holds what deliveries are signed with."),
    ] = None,
    event: Annotated[
        str, typer.Option("--event", metavar="NAME", help="What happened, as GitHub calls it.")
    ] = "push",
    forge: Annotated[str, typer.Option("--forge", metavar="NAME", help="github, or folder.")] = "github",
    delivery: Annotated[
        str, typer.Option("--id", metavar="ID", help="The id of an earlier delivery, to send it once more.")
    ] = "",
    post_receive: Annotated[
        bool,
        typer.Option(
            "--post-receive", help="Read what a hook was told, and let its push succeed whatever happens."
        ),
    ] = False,
    repository: Annotated[
        str,
        typer.Option(
            "--repository", metavar="NAME", help="With --post-receive: what the server calls the repository."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Deliver a recorded payload to a server, signed."""
    if secret_file is None:
        raise typer.BadParameter("say --secret-file FILE: servers take nothing unsigned.")
    if post_receive:
        if file is not None or not repository:
            raise typer.BadParameter(
                "--post-receive takes --repository NAME, and reads what was pushed from standard input."
            )
        raise typer.Exit(_tell_of_push(server, secret_file, repository))
    if file is None:
        raise typer.BadParameter("name the FILE that holds the payload.")
    _send(
        _destination(server, forge, secret_file), _read(file), event=event, delivery=delivery, as_json=as_json
    )


def _send(to: Destination, body: bytes, *, event: str, delivery: str, as_json: bool) -> None:
    import asyncio

    from conductor.cli.output import print_json
    from conductor.operations import deliver as operation

    answer = asyncio.run(operation.deliver(to, body, event=event, delivery=delivery))
    if as_json:
        print_json(answer)
    else:
        sys.stdout.write(f"delivered {event} as {answer.delivery}: {answer.status}\n")


def _tell_of_push(server: str, secret_file: Path, repository: str) -> int:
    """Tell of each tag; say on stderr, which is what the pusher sees, what came of it. Ends well in any case."""
    import asyncio

    from conductor.errors import ConductorError
    from conductor.operations import deliver as operation

    sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    try:
        to = _destination(server, "folder", secret_file)
        for ref, body in operation.payloads(sys.stdin, repository=repository, pusher=_pusher()):
            asyncio.run(operation.deliver(to, body, event="push"))
            _say(f"told of {ref.removeprefix('refs/tags/')}")
    except ConductorError as error:
        _say(f"not told of this push: {error.message}")
        _say("the tag is pushed all the same, and the server finds it by itself")
    return 0


def _destination(server: str, forge: str, secret_file: Path) -> Destination:
    from conductor.operations.deliver import Destination

    return Destination(server=server, forge=forge, secret=_read(secret_file).decode(errors="replace").strip())


def _read(file: Path) -> bytes:
    from conductor.errors import NotFoundError

    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"{file} cannot be read: {error.strerror}", remedy="Name a file that you may read."
        ) from error


def _pusher() -> str:
    """Name who pushed: what a server of git says, else the user of this machine."""
    import getpass
    import os

    named = next((os.environ[name] for name in ("GL_USER", "REMOTE_USER") if os.environ.get(name)), "")
    try:
        return named or getpass.getuser()
    except (KeyError, OSError):
        return ""


def _say(text: str) -> None:
    from conductor.reports.readable import on_one_line

    sys.stderr.write(f"conductor: {on_one_line(text)}\n")
    sys.stderr.flush()
