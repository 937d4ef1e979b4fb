"""Column types: values of the domain as JSON, times in UTC, text that every database takes.

Law: what is read equals what was written, but for characters that no database stores (NUL and lone surrogates become U+FFFD) and
numbers that JSON does not know (0, or nothing).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def clean(text: str) -> str:
    """Replace what neither SQLite nor Postgres stores as text."""
    return _UNSTORABLE.sub("\ufffd", text)


def _cleaned(data: Any) -> Any:
    match data:
        case str():
            return clean(data)
        case float():
            return data if math.isfinite(data) else 0.0
        case dict():
            return {clean(str(key)): _cleaned(value) for key, value in data.items()}
        case list():
            return [_cleaned(value) for value in data]
        case _:
            return data


class Value(TypeDecorator[Any]):
    """A value of the domain, stored as JSON by its annotations."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 -- the library's signature
        """Make plain data of it."""
        return None if value is None else _cleaned(_adapter(self.kind).dump_python(value, mode="json"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 -- the library's signature
        """Make the value of plain data; a pydantic `ValidationError` where it does not fit."""
        return None if value is None else _adapter(self.kind).validate_python(value)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept and given in UTC also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring it to UTC; a naive time is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Say that it is in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of any length, cleaned."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replace what cannot be stored."""
        return None if value is None else clean(str(value))
