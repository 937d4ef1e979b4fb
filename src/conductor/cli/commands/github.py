"""conductor github: how GitHub gets to know a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from conductor.ports.registration import Registered

app = typer.Typer(help="Connect GitHub with a server.", no_args_is_help=True, rich_markup_mode=None)

ENV_FILE, KEY_FILE = "github-app.env", "github-app.pem"


@app.callback()
def github() -> None:
    """Keep `connect` a word of its own, though it is the only one."""


@app.command()
def connect(  # noqa: PLR0917 -- what is typed, not what is called
    server: Annotated[
        str, typer.Option("--public-url", metavar="URL", help="Where GitHub reaches the server.")
    ],
    organization: Annotated[
        str, typer.Option("--org", metavar="NAME", help="Whose App it is; without it your own.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What the App is called on GitHub.")] = "Conductor",
    github_url: Annotated[
        str, typer.Option("--github", envvar="CONDUCTOR_GITHUB_URL", metavar="URL", help="Which GitHub.")
    ] = "https://github.com",
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the App's key and secret are written.")
    ] = Path(),
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where your browser finds this command.")
    ] = "127.0.0.1:0",
) -> None:
    """Make a GitHub App in your browser, with exactly the rights that a server needs, and write what it is set up with.

    Two files come of it, which only you may read: the App's private key, and the settings that name it.
    """
    import asyncio

    _refuse_what_is_there(folder)
    made = asyncio.run(_converse(server, name, organization, github_url, listen))
    env, key = _write(folder, made, github_url)
    sys.stdout.write(
        f"\nthe App {made.app_id} is made; choose its repositories: {made.link}\n"
        f"settings: {env}\nprivate key: {key}\n"
        f"for the chart: kubectl create secret generic conductor-github --from-env-file={env} "
        f"--from-file=CONDUCTOR_GITHUB_PRIVATE_KEY={key}\n"
    )


async def _converse(server: str, name: str, organization: str, github_url: str, listen: str) -> Registered:
    from conductor import bootstrap
    from conductor.web.connect import Connecting
    from conductor.web.server import address_of, answering, bound

    with bound(listen) as opened:
        address = address_of(opened)
        connecting = Connecting(
            registration=bootstrap.registration(github_url),
            server=server,
            name=name,
            address=address,
            organization=organization,
        )
        async with answering(connecting.app(), opened):
            sys.stdout.write(f"open {address}/ in your browser\n")
            sys.stdout.flush()
            return await connecting.done


def _refuse_what_is_there(folder: Path) -> None:
    from conductor.errors import ConflictError

    for file in (folder / ENV_FILE, folder / KEY_FILE):
        if file.exists():
            raise ConflictError(
                f"{file} is there already", remedy="Move it away, or name another folder with --to."
            )


def _write(folder: Path, made: Registered, github_url: str) -> tuple[Path, Path]:
    """Write both files for their owner alone."""
    env, key = folder / ENV_FILE, folder / KEY_FILE
    lines = [
        f"CONDUCTOR_GITHUB_APP_ID={made.app_id}",
        f"CONDUCTOR_GITHUB_WEBHOOK_SECRET={made.webhook_secret}",
    ]
    if github_url != "https://github.com":
        lines.append(f"CONDUCTOR_GITHUB_URL={github_url}")
    for file, text in ((env, "\n".join(lines) + "\n"), (key, made.private_key)):
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(text)
    return env, key
