"""What crosses a kill: values and errors as plain JSON data, by the annotations of the function that takes or gives them.

Law: decoding what was encoded gives an equal value of the same type, in any later process. Nothing is ever pickled: who can write the
database cannot run code with it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from dbos import Serializer
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from conductor.errors import ConductorError, StateError

Plain = Any
"""What JSON has: dict, list, str, int, float, bool, None."""


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def encode(value: object, annotation: Any) -> Plain:
    """Make plain data of a value. TypeError where it is not what the annotation says: better now than when it is read."""
    adapter = _adapter(annotation)
    try:
        data = adapter.dump_python(value, mode="json", warnings=False, fallback=_plain_mapping)
        adapter.validate_python(data)
    except (PydanticSerializationError, ValidationError, TypeError) as error:
        raise TypeError(f"{type(value).__name__} cannot be recorded as {annotation}: {error}") from error
    return data


def _plain_mapping(value: object) -> Plain:
    """Take mappings that are no dictionaries, which pydantic does not."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def decode(data: Plain, annotation: Any) -> Any:
    """Make the value again. `StateError` where the data is not what the annotation says."""
    try:
        return _adapter(annotation).validate_python(data)
    except ValidationError as error:
        raise StateError(
            f"reading a recorded {annotation}: {error.error_count()} fields do not fit",
            remedy="It was recorded by another version of Conductor: start the run again.",
        ) from error


@dataclass(frozen=True, slots=True)
class Signature:
    """What a step or workflow takes, in order, and what it gives."""

    arguments: Mapping[str, Any]
    result: Any

    @classmethod
    def of(cls, function: Callable[..., object]) -> Signature:
        """Read it from the annotations. TypeError where one is missing: nothing could be recorded."""
        hints = get_type_hints(function, include_extras=True)
        names = list(inspect.signature(function).parameters)
        missing = [name for name in (*names, "return") if name not in hints]
        if missing:
            raise TypeError(f"{function.__qualname__} needs annotations to be recorded: {', '.join(missing)}")
        return cls(arguments={name: hints[name] for name in names}, result=hints["return"])

    def encode_arguments(self, values: Sequence[object]) -> list[Plain]:
        """Make plain data of positional arguments; those left out keep their defaults."""
        if len(values) > len(self.arguments):
            raise TypeError(f"{len(values)} arguments given, {len(self.arguments)} taken")
        pairs = zip(values, self.arguments.values(), strict=False)
        return [encode(value, annotation) for value, annotation in pairs]

    def decode_arguments(self, data: Sequence[Plain]) -> list[Any]:
        """Make them again."""
        pairs = zip(data, self.arguments.values(), strict=False)
        return [decode(item, annotation) for item, annotation in pairs]


def encode_error(error: ConductorError, mask: Callable[[str], str] = str) -> Plain:
    """Make plain data of an error: its class and what its constructor takes. Texts pass `mask`."""
    fields = {
        name: encode(getattr(error, name), annotation) for name, annotation in _constructor(type(error))
    }
    return {"class": type(error).__name__, "fields": _masked(fields, mask)}


def decode_error(data: Plain) -> ConductorError:
    """Make the error again: same class, same attributes. A class that is gone becomes the root."""
    fields = data["fields"]
    cls = _classes().get(data["class"])
    if cls is None:
        return ConductorError(str(fields.get("message", data["class"])), remedy=str(fields.get("remedy", "")))
    return cls(**{name: decode(fields[name], annotation) for name, annotation in _constructor(cls)})


def _constructor(cls: type[ConductorError]) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(cls.__init__)
    for name in list(inspect.signature(cls.__init__).parameters)[1:]:
        yield name, hints[name]


def _classes() -> dict[str, type[ConductorError]]:
    found: dict[str, type[ConductorError]] = {}
    waiting = [ConductorError]
    while waiting:
        cls = waiting.pop()
        found[cls.__name__] = cls
        waiting += cls.__subclasses__()
    return found


def _masked(data: Plain, mask: Callable[[str], str]) -> Plain:
    match data:
        case str():
            return mask(data)
        case dict():
            return {key: _masked(value, mask) for key, value in data.items()}
        case list():
            return [_masked(item, mask) for item in data]
    return data


class JsonSerializer(Serializer):
    """What DBOS writes with: our data is plain already; an exception of its own becomes its type and text."""

    def name(self) -> str:
        """Name the format, as it stands in every row."""
        return "conductor-json"

    def serialize(self, data: Any) -> str:
        """Write JSON."""
        if isinstance(data, BaseException):
            data = {"exception": type(data).__name__, "text": str(data)}
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        """Read JSON; an exception comes back as `StateError`, since only the machinery writes them."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and data.keys() == {"exception", "text"}:
            return StateError(f"durable execution failed with {data['exception']}: {data['text']}")
        return data
