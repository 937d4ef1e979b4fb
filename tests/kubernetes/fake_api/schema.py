"""The published schema of Kubernetes' objects: which fields there are, and how lists and maps are merged.

It is that of `kubernetes-validate`, which keeps the `x-kubernetes-*` extensions. What this module is asked is answered the same way for
strict validation, strategic merge patches and server-side apply.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate

_FOLDER = "kubernetes-json-schema/v1.36.0-local-strict/_definitions.json"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


@functools.cache
def _definitions() -> dict[str, Any]:
    return json.loads((Path(kubernetes_validate.__file__).parent / _FOLDER).read_text())["$defs"]


@dataclass(frozen=True)
class Shape:
    """What may be at one place of an object."""

    schema: dict[str, Any]
    """With its reference followed."""
    place: dict[str, Any]
    """As the field itself says it: how it is merged stands there."""

    @property
    def is_open(self) -> bool:
        """Tell whether anything may be there."""
        return not self.schema.get("properties") and "additionalProperties" not in self.schema

    def field(self, name: str) -> Shape | None:
        """Return the shape of a field; None where there is no such field."""
        found = (self.schema.get("properties") or {}).get(name)
        if found is not None:
            return _shape(found)
        more = self.schema.get("additionalProperties")
        if isinstance(more, dict):
            return _shape(more)
        return _ANYTHING if self.is_open else None

    @property
    def item(self) -> Shape:
        return _shape(self.schema.get("items") or {})

    @property
    def keys(self) -> tuple[str, ...]:
        """What names an item of a list that is merged by keys; empty for other lists."""
        is_map = self.place.get("x-kubernetes-list-type") == "map"
        return tuple(self.place.get("x-kubernetes-list-map-keys") or ()) if is_map else ()

    @property
    def is_set(self) -> bool:
        return self.place.get("x-kubernetes-list-type") == "set"

    @property
    def is_atomic(self) -> bool:
        """Tell whether it has one owner as a whole."""
        return "atomic" in (
            self.place.get("x-kubernetes-list-type"),
            self.place.get("x-kubernetes-map-type"),
            self.schema.get("x-kubernetes-map-type"),
        )

    @property
    def merge_key(self) -> str:
        """What names an item for a strategic merge patch; empty where the list is replaced."""
        merges = "merge" in (self.place.get("x-kubernetes-patch-strategy") or "")
        return str(self.place.get("x-kubernetes-patch-merge-key") or "") if merges else ""

    @property
    def merges_values(self) -> bool:
        return "merge" in (self.place.get("x-kubernetes-patch-strategy") or "") and not self.merge_key

    @property
    def types(self) -> set[str]:
        found = self.schema.get("type") or ()
        return {found} if isinstance(found, str) else set(found)


_ANYTHING = Shape({}, {})


def shape_of(name: str) -> Shape:
    """Return the shape of a whole object, by the name of its definition."""
    return Shape(_definitions()[name], {})


def _shape(place: dict[str, Any]) -> Shape:
    reference = place.get("$ref", "")
    if not reference:
        return Shape(place, place)
    return _referenced(reference.rpartition("/")[2], json.dumps(place, sort_keys=True))


@functools.lru_cache(maxsize=4096)
def _referenced(name: str, place: str) -> Shape:
    schema = {} if name in (_QUANTITY, _INT_OR_STRING) else _definitions()[name]
    return Shape(schema, json.loads(place))


@dataclass(frozen=True)
class Fault:
    """A field that is not there, or has a value of another type (`wanted` is its name)."""

    path: str
    wanted: str = ""
    found: str = ""


def faults(thing: Any, shape: Shape, path: str = "") -> Iterator[Fault]:
    """Yield what is wrong, in the order of the alphabet: paths as `.spec.containers[name="c"].oops`."""
    if thing is None or shape is _ANYTHING:
        return
    wrong = _wrong_type(thing, shape)
    if wrong:
        yield Fault(path, wrong, _go_type(thing))
    elif isinstance(thing, dict):
        for name in sorted(thing):
            inside = shape.field(name)
            if inside is None:
                yield Fault(f"{path}.{name}")
            else:
                yield from faults(thing[name], inside, f"{path}.{name}")
    elif isinstance(thing, list):
        for number, item in enumerate(thing):
            yield from faults(item, shape.item, f"{path}[{_which(item, number, shape)}]")


def without_unknown(thing: Any, shape: Shape) -> Any:
    """Leave out what the schema does not know, as a real server does that was not asked to be strict."""
    if shape is _ANYTHING or (shape.is_open and not isinstance(thing, list)):
        return thing
    if isinstance(thing, dict):
        inside = {name: shape.field(name) for name in thing}
        return {
            name: without_unknown(value, found)
            for name, value in thing.items()
            if (found := inside[name]) is not None
        }
    if isinstance(thing, list):
        return [without_unknown(item, shape.item) for item in thing]
    return thing


def _which(item: Any, number: int, shape: Shape) -> str:
    if not shape.keys or not isinstance(item, dict):
        return str(number)
    return ",".join(f"{key}={json.dumps(item[key])}" for key in shape.keys if key in item)


def _wrong_type(thing: Any, shape: Shape) -> str:
    wanted = shape.types - {"null"}
    if not wanted or _json_type(thing) in wanted or (_json_type(thing) == "integer" and "number" in wanted):
        return ""
    name = min(wanted)
    return str(shape.schema.get("format") or {"boolean": "bool", "integer": "int64"}.get(name, name))


def _json_type(thing: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(thing), "null")


def _go_type(thing: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names[type(thing)]
