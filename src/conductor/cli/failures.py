"""The one place where a failure becomes a text on stderr, or a problem (RFC 9457) on stdout, and an exit code.

Exit codes: 0 passed, 1 failed, 2 usage or configuration, 3 broken or a mistake of ours, 4 unreachable, 130 interrupted.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from conductor.cli.output import print_json_line
from conductor.domain.masking import Masker
from conductor.errors import ConductorError, ConfigurationError, RunError

USAGE, MISTAKE, INTERRUPTED, CLOSED_PIPE = 2, 3, 130, 141
"""141 is what a shell reports of a program whose reader went away."""


def say_error(error: ConductorError, *, as_json: bool) -> int:
    """Tell what happened and what to do; return the exit code."""
    if as_json:
        print_json_line(problem(error))
    else:
        _say(*_texts(error))
    return error.exit_code


def problem(error: ConductorError) -> dict[str, Any]:
    """Make the JSON object of an error: a problem of RFC 9457 with our own members beside."""
    members: dict[str, Any] = {
        "type": f"urn:conductor:problem:{error.code}",
        "title": _title(error),
        "detail": error.message,
        "code": error.code,
        "exit_code": error.exit_code,
        "retryable": error.retryable,
        "remedy": error.remedy,
    }
    if isinstance(error, ConfigurationError):
        members["problems"] = [asdict(one) for one in error.problems]
    if isinstance(error, RunError):
        members |= {"reason": error.reason, "fault": error.fault}
    return members


def say_usage(error: typer.TyperException, *, as_json: bool) -> int:
    """Tell that the command itself does not make sense as it was typed."""
    message = error.format_message()
    where = getattr(getattr(error, "ctx", None), "command_path", "conductor")
    remedy = f"`{where} --help` shows how."
    if as_json:
        kind = {
            "type": "urn:conductor:problem:usage",
            "title": "The command does not make sense as it stands",
        }
        print_json_line({**kind, "detail": message, "code": "usage", "exit_code": USAGE, "remedy": remedy})
    else:
        _say(message, remedy)
    return USAGE


def say_mistake(error: BaseException, *, as_json: bool, verbose: bool, log: Path) -> int:
    """Own up to what nobody foresaw: one line for the reader, the rest for the log."""
    what = Masker()(f"{type(error).__name__}: {error}".partition("\n")[0][:300].rstrip(": "))
    written = _write_down(error, log)
    where = f"The log has the rest: {log}" if written else "Run it again with --verbose to see where."
    if as_json:
        kind = {"type": "urn:conductor:problem:internal", "title": "This is a mistake in Conductor"}
        print_json_line({**kind, "detail": what, "code": "internal", "exit_code": MISTAKE, "remedy": where})
    else:
        _say(f"this is a mistake in Conductor: {what}", where)
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    return MISTAKE


def find_foreseen(error: BaseException) -> ConductorError | None:
    """Return the error that was foreseen, also out of a group that tasks side by side have made of it."""
    if isinstance(error, ConductorError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := find_foreseen(one))), None)
    return None


def _title(error: ConductorError) -> str:
    """Take what the class says of itself, up to its first pause."""
    return re.split(r"[;:.\n]", (type(error).__doc__ or "").strip(), maxsplit=1)[0]


def _texts(error: ConductorError) -> Iterator[str]:
    from conductor.reports.words import plural

    if isinstance(error, ConfigurationError):
        yield f"the configuration has {plural(len(error.problems), 'problem')}"
    yield error.message
    if error.remedy:
        yield error.remedy


def _say(first: str, *rest: str) -> None:
    from conductor.reports.readable import clean

    coloured = _is_coloured()
    head = typer.style("error:", fg="red", bold=True) if coloured else "error:"
    sys.stderr.write(f"{head} {clean(first)}\n")
    sys.stderr.writelines(f"  {clean(line)}\n" for text in rest for line in text.splitlines())
    sys.stderr.flush()


def _is_coloured() -> bool:
    import os

    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write_down(error: BaseException, log: Path) -> bool:
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log.open("a", encoding="utf-8") as file:
            file.write(Masker()("".join(traceback.format_exception(error))))
    except OSError:
        return False
    return True
