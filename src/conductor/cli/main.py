"""The entry point: what was typed goes to a command, and whatever comes of it becomes an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import typer

from conductor.cli import failures
from conductor.cli.app import app

LOG = "conductor.log"


def main() -> None:
    """Answer the command line of this process."""
    sys.exit(answer(sys.argv[1:]))


def answer(arguments: Sequence[str]) -> int:  # noqa: PLR0911 -- one way out for each kind of end
    """Carry a command out and return its exit code. No exception leaves it, and no traceback unless asked for."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, verbose = "--json" in own, "--verbose" in own
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="conductor", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return failures.say_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return failures.INTERRUPTED
    except BrokenPipeError:
        return _leave_quietly()
    except SystemExit as left:  # which is what typer makes of a reader that has gone
        if isinstance(left.__context__, BrokenPipeError):
            return _leave_quietly()
        raise
    except Exception as error:  # noqa: BLE001 -- the outermost frame: what nobody foresaw is said in one line
        if foreseen := failures.find_foreseen(error):
            return failures.say_error(foreseen, as_json=as_json)
        return failures.say_mistake(error, as_json=as_json, verbose=verbose, log=_log_of(own))
    return code if isinstance(code, int) else 0


def _leave_quietly() -> int:
    """Let nothing be written any more, not even at the interpreter's end: the reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return failures.CLOSED_PIPE


def _log_of(arguments: Sequence[str]) -> Path:
    """Find the log by what was typed: the settings themselves may be what went wrong."""
    named = [b for a, b in pairwise(arguments) if a == "--state"]
    named += [a.partition("=")[2] for a in arguments if a.startswith("--state=")]
    written = named[0] if named else os.environ.get("CONDUCTOR_STATE")
    if written:
        return Path(written).expanduser() / LOG
    from conductor.settings import default_state

    return default_state() / LOG


if __name__ == "__main__":
    main()
