"""Who set which field: managed fields, and server-side apply on top of them.

A field is a path of steps as `FieldsV1` writes them: `f:spec`, `k:{"name":"web"}`, `v:"x"`, and `.` for the item itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.fake_api.kinds import Object
from tests.kubernetes.fake_api.problems import apply_conflict
from tests.kubernetes.fake_api.schema import Shape

Path = tuple[str, ...]
Fields = dict[Path, Any]
"""Paths and what is there."""
_UNOWNED = {
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"), ("f:metadata", "f:uid"),
    ("f:metadata", "f:resourceVersion"), ("f:metadata", "f:creationTimestamp"), ("f:metadata", "f:generation"),
    ("f:metadata", "f:managedFields"), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:deletionGracePeriodSeconds"),
    ("f:metadata", "f:generateName"), ("f:spec",), ("f:status",),
}  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """Who writes: `operation` is Apply or Update."""

    name: str
    operation: str = "Update"
    part: str = ""

    def said(self, api: str) -> str:
        """Name it as a conflict does."""
        using = "" if self.operation == "Apply" else f" using {api}"
        return (
            f'conflict with "{self.name}"' + (f' with subresource "{self.part}"' if self.part else "") + using
        )


Owners = dict[Manager, set[Path]]


def fields(thing: Any, shape: Shape | None, *, dots: bool = True) -> Fields:
    """List the fields of an object. `dots`: with the maps and items themselves (an applied map of fields owns only what is in it)."""
    found = dict(_fields(thing, shape, (), dots=dots))
    return {
        path: value
        for path, value in found.items()
        if path not in _UNOWNED and path[:2] != ("f:metadata", "f:managedFields")
    }


def _fields(thing: Any, shape: Shape | None, path: Path, *, dots: bool) -> Iterator[tuple[Path, Any]]:
    if isinstance(thing, dict) and thing and not (shape and shape.is_atomic):
        is_map = shape is not None and isinstance(shape.schema.get("additionalProperties"), dict)
        if dots and is_map and path:
            yield (*path, "."), None
        for name, value in thing.items():
            yield from _fields(value, shape.field(name) if shape else None, (*path, f"f:{name}"), dots=dots)
    elif isinstance(thing, list) and shape is not None and shape.keys:
        if dots:
            yield (*path, "."), None
        for item in thing:
            here = (*path, _item_step(item, shape))
            yield (*here, "."), None
            yield from _fields(item, shape.item, here, dots=dots)
    elif isinstance(thing, list) and shape is not None and shape.is_set:
        if dots:
            yield (*path, "."), None
        yield from (((*path, f"v:{json.dumps(item)}"), item) for item in thing)
    else:
        yield path, thing


def _item_step(item: Object, shape: Shape) -> str:
    chosen = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in shape.keys}
    return "k:" + json.dumps(
        {key: value for key, value in chosen.items() if value is not None}, separators=(",", ":")
    )


_KEY_DEFAULTS = {"protocol": "TCP"}


def read(thing: Object) -> Owners:
    """Read an object's managed fields."""
    owners: Owners = {}
    for entry in thing["metadata"].get("managedFields") or ():
        manager = Manager(entry["manager"], entry["operation"], entry.get("subresource", ""))
        owners[manager] = set(_unfolded(entry.get("fieldsV1") or {}))
    return owners


def write(thing: Object, owners: Owners, api: str, now: str) -> None:
    """Write them; times of those that did not change stay."""
    before = {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry
        for entry in thing["metadata"].get("managedFields") or ()
    }
    entries = []
    for manager, paths in owners.items():
        if not paths:
            continue
        folded = _folded(paths)
        known = before.get((manager.name, manager.operation, manager.part))
        time = known["time"] if known and known["fieldsV1"] == folded else now
        entries.append(
            {"manager": manager.name, "operation": manager.operation, "apiVersion": api, "time": time,
             "fieldsType": "FieldsV1", "fieldsV1": folded, **({"subresource": manager.part} if manager.part else {})}
        )  # fmt: skip
    thing["metadata"].pop("managedFields", None)
    if entries:
        thing["metadata"]["managedFields"] = entries


def _folded(paths: Iterable[Path]) -> Object:
    made: Object = {}
    for path in sorted(paths):
        inside = made
        for step in path:
            inside = inside.setdefault(step, {})
    return made


def _unfolded(folded: Object, path: Path = ()) -> Iterator[Path]:
    for step, inside in folded.items():
        if inside:
            yield from _unfolded(inside, (*path, step))
        else:
            yield (*path, step)


def updated(before: Object | None, after: Object, shape: Shape, manager: Manager) -> Owners:
    """Work out who owns what after a plain write: what changed is the writer's alone."""
    old = fields(before, shape) if before else {}
    new = fields(after, shape)
    owners = read(before) if before else {}
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    for other in owners:
        owners[other] = (owners[other] & new.keys()) - (changed if other != manager else set())
    if changed:
        owners[manager] = owners.get(manager, set()) | changed
    return owners


def applied(
    live: Object | None, wish: Object, shape: Shape, manager: Manager, *, api: str, force: bool
) -> tuple[Object, Owners]:
    """Merge a wish into what is there: what its manager no longer wishes goes, what others own is a conflict."""
    wished = fields(wish, shape, dots=False)
    if live is None:
        return deepcopy(wish), {manager: set(wished)}
    owners, there = read(live), fields(live, shape)
    _refuse(owners, there, wished, manager, api=api, force=force)
    dropped = owners.get(manager, set()) - wished.keys()
    others = set().union(*(paths for other, paths in owners.items() if other != manager))
    made = deepcopy(live)
    for path in sorted(dropped - others, key=lambda path: (path[-1] != ".", -len(path))):
        _take_away(made, shape, path)
    made = _joined(made, wish, shape)
    owners[manager] = set(wished)
    return made, owners


def _refuse(
    owners: Owners, there: Fields, wished: Fields, manager: Manager, *, api: str, force: bool
) -> None:
    causes = []
    for other, paths in owners.items():
        if other == manager:
            continue
        clashing = sorted(
            path for path in paths & wished.keys() if path in there and there[path] != wished[path]
        )
        causes += [(other, path) for path in clashing]
        if force:
            owners[other] = paths - set(clashing)
    if causes and not force:
        raise apply_conflict([(other.said(api), _written(path)) for other, path in causes])


def _written(path: Path) -> str:
    text = ""
    for step in path:
        kind, _, value = step.partition(":")
        if kind == "f":
            text += f".{value}"
        elif kind == "k":
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(value).items()) + "]"
    return text


def _joined(there: Any, wish: Any, shape: Shape | None) -> Any:
    if isinstance(wish, dict) and isinstance(there, dict) and not (shape and shape.is_atomic):
        made = dict(there)
        for name, value in wish.items():
            inside = shape.field(name) if shape else None
            made[name] = _joined(there[name], value, inside) if name in there else deepcopy(value)
        return made
    if isinstance(wish, list) and isinstance(there, list) and shape is not None:
        return _joined_list(there, wish, shape)
    return deepcopy(wish)


def _joined_list(there: list[Any], wish: list[Any], shape: Shape) -> list[Any]:
    if shape.is_set:
        return [*there, *(item for item in wish if item not in there)]
    if not shape.keys:
        return deepcopy(wish)
    by_step = {_item_step(item, shape): item for item in there}
    wished = {_item_step(item, shape): item for item in wish}
    joined = {step: _joined(by_step.get(step, {}), item, shape.item) for step, item in wished.items()}
    return [joined.pop(step, item) for step, item in by_step.items()] + list(joined.values())


def _take_away(thing: Any, shape: Shape | None, path: Path) -> None:
    """Remove one field, and what is empty after it."""
    step, rest = path[0], path[1:]
    if step == ".":
        return
    kind, _, value = step.partition(":")
    if isinstance(thing, dict) and kind == "f" and value in thing:
        inside = shape.field(value) if shape else None
        if rest and rest != (".",):
            _take_away(thing[value], inside, rest)
            if thing[value] in ({}, []):
                del thing[value]
        else:
            del thing[value]
    elif isinstance(thing, list) and shape is not None:
        _take_from_list(thing, shape, kind, step, rest)


def _take_from_list(thing: list[Any], shape: Shape, kind: str, step: str, rest: Path) -> None:
    for item in list(thing):
        if kind == "v" and f"v:{json.dumps(item)}" == step:
            thing.remove(item)
        elif (
            kind == "k"
            and _item_step(item, shape) == step
            and rest not in [(f"f:{key}",) for key in shape.keys]
        ):
            if rest == (".",):
                thing.remove(item)
            elif rest:
                _take_away(item, shape.item, rest)
