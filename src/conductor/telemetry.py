"""What Conductor says of its own work: log lines on standard error, each with its run and step, masked, and quiet by default.

Law: a line passes the masks that are known before it leaves; libraries' lines are Conductor's lines.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TextIO

import structlog

Mask = Callable[[str], str]
"""Hides values of secrets in a text."""

_LOUD_LIBRARIES = (
    "dbos",
    "sqlalchemy",
    "alembic",
    "asyncio",
    "aiohttp",
    "docker",
    "httpx2",
    "httpcore2",
)
_masks: list[Mask] = []
_tracing: list[bool] = []


def configure(*, level: str = "warning", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send all log lines to `stream` (standard error) at `level` and above; `form` is auto, plain or json. May be repeated."""
    out = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    as_json = form == "json" or (form == "auto" and not out.isatty())
    shared: Sequence[Any] = (
        structlog.contextvars.merge_contextvars,
        _traced,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(out, as_json=as_json),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def bound(*, run: str, step: str = "") -> AbstractContextManager[Any]:
    """Let every line within the block bear its run and step."""
    named = {"run": run, "step": step} if step else {"run": run}
    return structlog.contextvars.bound_contextvars(**named)


@contextmanager
def masking(mask: Mask) -> Iterator[None]:
    """Hide the values that `mask` knows in every line of this process, as long as the block lasts."""
    _masks.append(mask)
    try:
        yield
    finally:
        _masks.remove(mask)


def trace_id(run: str) -> int:
    """Work out the trace of a run: the same in each process that goes on with it (128 bits, never 0).

    >>> f"{trace_id('shop-k3v9qd'):032x}"
    '123c5a4b796fb2859e147f54dbc80f2b'
    """
    return _identity(16, "trace", run)


def span_id(run: str, *of: str) -> int:
    """Work out the span of a part of a run: its attempt, and within that a step with what it is done for (64 bits, never 0)."""
    return _identity(8, "span", run, *of)


def _identity(size: int, *of: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(of).encode()).digest()[:size], "big") or 1


def bear_trace_ids() -> None:
    """Let each line of a run bear the ids of its trace and span from now on."""
    _tracing.append(True)


def _traced(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _tracing and isinstance(run := fields.get("run"), str):
        fields["trace_id"] = f"{trace_id(run):032x}"
        if step := fields.get("step"):
            of = (str(fields.get("attempt", 1)), str(step), str(fields.get("subject", "")))
            fields["span_id"] = f"{span_id(run, *of):016x}"
    return fields


def _rendering(out: TextIO, *, as_json: bool) -> list[Any]:
    if as_json:
        return [
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    plain = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, _masked, plain]


def _masked(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in fields.items():
        fields[key] = _hide(value)
    return fields


def _hide(value: Any) -> Any:
    match value:
        case str():
            for mask in _masks:
                value = mask(value)
            return value
        case dict():
            return {key: _hide(one) for key, one in value.items()}
        case list() | tuple():
            return [_hide(one) for one in value]
        case int() | float() | None:
            return value
        case _:
            return _hide(str(value))
