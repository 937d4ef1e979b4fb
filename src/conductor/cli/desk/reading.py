"""What a server sends, read as values of the domain and checked as such before anything of it is shown."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from conductor.errors import UnreachableError

T = TypeVar("T")


def read(kind: type[T], value: object) -> T:
    """Read plain data. UnreachableError where it is of another shape."""
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        raise _strange(error) from error


def read_json(kind: type[T], text: str) -> T:
    """Read JSON. UnreachableError where it is of another shape."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise _strange(error) from error


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what checks a kind of value: made once, since a long log is read line by line."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _strange(error: ValidationError) -> UnreachableError:
    first = error.errors(include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return UnreachableError(
        f"the server's answer is not understood: {where}: {first['msg']}",
        remedy="The server and this command are of different versions: install the server's.",
    )
