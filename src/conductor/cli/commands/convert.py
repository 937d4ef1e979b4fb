"""conductor convert: compose files as an engine would be told of them, and the account of every key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conductor.cli.arguments import variable
from conductor.cli.commands.options import AsJson, EngineName
from conductor.cli.commands.repository import Folder, Variables

if TYPE_CHECKING:
    from conductor.operations.convert import Conversion

_YAML = (".yaml", ".yml")


Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A compose file, laid over the one before. Repeatable. Without it: those of .conductor.yaml and its suites, "
        "else the usual names.",
    ),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", metavar="NAME", help="A profile to enable; `*` is all. Repeatable."),
]
EnvFiles = Annotated[
    list[str] | None,
    typer.Option("--env-file", metavar="FILE", help="Variables, in place of `.env`. Repeatable."),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help="A folder, or a file that ends with .yaml; stdout without it."
    ),
]
OneFile = Annotated[
    bool | None,
    typer.Option(
        "--one-file/--split",
        help="What PATH is: one file with everything, or a folder with a file for each object.",
    ),
]


def convert(  # noqa: PLR0917 -- what is typed, not what is called
    folder: Folder = Path(),
    files: Files = None,
    profiles: Profiles = None,
    variables: Variables = None,
    env_files: EnvFiles = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", metavar="NAME", help="The namespace; by project or folder without it."
        ),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Whom it is for.")] = EngineName.KUBERNETES,
    output: Target = None,
    one_file: OneFile = None,
    account: Annotated[
        bool, typer.Option("--account", help="Print what becomes of every key, on each engine.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Convert nothing, with exit code 2, where anything is refused.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over, or beside, what somebody else wrote.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what an engine would be told of the compose files: Kubernetes manifests.

    No engine, no cluster and no .conductor.yaml is needed; secrets appear by name only. What is refused is left out, and said on
    standard error; mistakes end it with exit code 2.
    """
    from conductor import bootstrap
    from conductor.operations.convert import ConvertRequest
    from conductor.operations.convert import convert as work

    engines = bootstrap.renderers(bootstrap.load_settings())
    request = ConvertRequest(
        folder=folder,
        files=tuple(_inside(folder, file) for file in files or ()),
        profiles=tuple(profiles or ()),
        variables=dict(variable(text) for text in variables or ()),
        env_files=tuple(_inside(folder, file) for file in env_files) if env_files else None,
        namespace=_namespace(namespace),
    )
    _check_target(output, one_file=one_file, account=account)
    made = work(request, engine=engine, engines=engines)
    names = [one.name for one in engines]
    if account:
        _print_account(made, names, as_json=as_json)
    _say_no(made, strict=strict)
    if account:
        return
    _say_left_out(made)
    if output is None:
        _print_objects(made, as_json=as_json)
    else:
        _write(made, output, one_file=one_file, force=force, as_json=as_json)


def _inside(folder: Path, file: str) -> str:
    """Say a file relative to the folder; a shell completes names from where one stands."""
    here = next((path for path in (folder / file, Path(file)) if path.exists()), folder / file)
    return Path(os.path.relpath(here.absolute(), folder.absolute())).as_posix()


def _namespace(name: str | None) -> str | None:
    from conductor.domain.names import slug

    if name is not None and slug(name, length=63) != name:
        raise typer.BadParameter(f"{name!r} is no name of a namespace: use small letters, digits and `-`.")
    return name


def _check_target(output: Path | None, *, one_file: bool | None, account: bool) -> None:
    if output is None and one_file is False:
        raise typer.BadParameter("--split needs a folder: name one with -o.")
    if output is not None and account:
        raise typer.BadParameter("--account is printed: -o is for manifests.")


def _say_no(made: Conversion, *, strict: bool) -> None:
    """Raise what ends the command: mistakes, and with `strict` all that is refused."""
    from conductor.errors import ConfigurationError

    if made.mistakes or (strict and made.refused):
        raise ConfigurationError([*made.mistakes, *made.refused])


def _say_left_out(made: Conversion) -> None:
    if not made.refused:
        return
    from conductor.reports.words import plural

    sys.stderr.writelines(f"{problem}\n" for problem in made.refused)
    sys.stderr.write(
        f"WARNING: {plural(len(made.refused), 'thing')} left out, so this is not what the compose files ask for. "
        "A run would refuse it, and so does --strict.\n"
    )


def _print_account(made: Conversion, engines: list[str], *, as_json: bool) -> None:
    from conductor.cli.accounts import account_json, account_lines, account_tables
    from conductor.cli.output import console, print_json

    if as_json:
        print_json({"files": made.files, "engines": engines, "keys": account_json(made.account, engines)})
    elif sys.stdout.isatty():
        console().print(account_tables(made.account, engines))
    else:
        sys.stdout.writelines(f"{line}\n" for line in account_lines(made.account, engines))


def _print_objects(made: Conversion, *, as_json: bool) -> None:
    from conductor.cli.manifests import stream
    from conductor.cli.output import print_json

    if as_json:
        shown = {"engine": made.engine, "namespace": made.namespace, "files": made.files}
        print_json({**shown, "refused": made.refused, "objects": made.objects})
    else:
        sys.stdout.write(stream(made.objects))


def _write(made: Conversion, output: Path, *, one_file: bool | None, force: bool, as_json: bool) -> None:
    from conductor.cli.manifests import write_file, write_folder
    from conductor.cli.output import print_json
    from conductor.reports.words import plural

    one = one_file if one_file is not None else output.suffix in _YAML and not output.is_dir()
    written = (write_file if one else write_folder)(output, made.objects, force=force)
    if as_json:
        print_json({"namespace": made.namespace, "written": written, "refused": made.refused})
    else:
        objects = plural(len(made.objects), "object")
        sys.stdout.write(f"{output}: {objects} for {made.engine}, namespace {made.namespace}\n")
