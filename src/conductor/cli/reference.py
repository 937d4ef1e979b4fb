"""The reference page of the command line, made of the commands themselves: `python -m conductor.cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from conductor.cli.app import EXIT_CODES, app

HEAD = """# The command line

<!-- Generated from src/conductor/cli by `python -m conductor.cli.reference`; a test compares them. -->

`--state` and `--verbose` stand before the command. `--json` makes every command print JSON: one document, or one object a line where
something is followed; errors are then an object too (RFC 9457), on standard output. Colours are off where `NO_COLOR` is set and where
nobody looks at a terminal. A run is named by its id or the beginning of it.
"""


def reference() -> str:
    """Write the page."""
    root = typer.main.get_command(app)
    parts = [
        HEAD.rstrip(),
        f"{EXIT_CODES} A reader that goes away, as `head` does, ends a command quietly with 141.",
    ]
    for path, command in _commands(("conductor",), root):
        parts.append("\n".join(_section(path, command)).rstrip())
    return "\n\n".join(parts) + "\n"


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if child.hidden:
            continue
        if getattr(child, "commands", None):
            yield from _commands((*path, name), child)
        else:
            yield (*path, name), child


def _section(path: tuple[str, ...], command: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=" ".join(path))
    yield f"## {' '.join(path)}"
    yield ""
    yield "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    yield ""
    yield f"    {' '.join([*path, *command.collect_usage_pieces(context)])}"
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    rows = [(names, text) for names, text in records if "--help" not in names]
    if rows:
        yield ""
        yield "| what | meaning |"
        yield "|---|---|"
        yield from (
            f"| `{_cell(names).partition(' <')[0] if not names.startswith('-') else _cell(names)}` | {_cell(text)} |"
            for names, text in rows
        )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
