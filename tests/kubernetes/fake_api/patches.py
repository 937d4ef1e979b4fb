"""Changes to objects: JSON merge patch (RFC 7386), JSON patch (RFC 6902), and Kubernetes' strategic merge patch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.kubernetes.fake_api.problems import bad_request
from tests.kubernetes.fake_api.schema import Shape

_DELETE = "$patch"


def merged(thing: Any, changes: Any) -> Any:
    """Merge: None takes a key away, a list is replaced.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None}})
    {'a': {'c': 2}}
    """
    if not isinstance(changes, dict):
        return deepcopy(changes)
    made = dict(thing) if isinstance(thing, dict) else {}
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def strategic(thing: Any, changes: Any, shape: Shape | None) -> Any:
    """Merge as the schema says: lists with a merge key by that key."""
    if isinstance(changes, list) and shape is not None:
        return _strategic_list(thing or [], changes, shape)
    if not isinstance(changes, dict) or shape is None:
        return merged(thing, changes)
    if changes.get(_DELETE) == "replace":
        return {key: deepcopy(value) for key, value in changes.items() if key != _DELETE}
    made = dict(thing) if isinstance(thing, dict) else {}
    for key, value in changes.items():
        if key.startswith("$"):
            continue
        if value is None:
            made.pop(key, None)
        else:
            made[key] = strategic(made.get(key), value, shape.field(key))
    return made


def _strategic_list(there: list[Any], changes: list[Any], shape: Shape) -> list[Any]:
    if shape.merges_values:
        return [*there, *(item for item in changes if item not in there)]
    if not (key := shape.merge_key):
        return deepcopy(changes)
    made = list(there)
    for change in changes:
        place = next((n for n, item in enumerate(made) if item.get(key) == change.get(key)), None)
        if change.get(_DELETE) == "delete":
            made = [item for n, item in enumerate(made) if n != place]
        elif place is None:
            made.append(strategic({}, change, shape.item))
        else:
            made[place] = strategic(made[place], change, shape.item)
    return made


def json_patched(thing: Any, steps: list[dict[str, Any]]) -> Any:
    """Take the steps one after the other."""
    made = deepcopy(thing)
    for step in steps:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        target = made
        try:
            for part in way:
                target = target[int(part)] if isinstance(target, list) else target[part]
            _step(target, last, step)
        except (KeyError, IndexError, TypeError, ValueError):
            raise bad_request(
                f"the server rejected our request due to an error in our request: {step}"
            ) from None
    return made


def _step(target: Any, last: str, step: dict[str, Any]) -> None:
    match step["op"], target:
        case "add", list():
            target.insert(len(target) if last == "-" else int(last), step["value"])
        case ("add", dict()) | ("replace", dict()):
            target[last] = step["value"]
        case "replace", list():
            target[int(last)] = step["value"]
        case "remove", list():
            del target[int(last)]
        case "remove", dict():
            del target[last]
        case "test", _:
            found = target[int(last)] if isinstance(target, list) else target.get(last)
            if found != step["value"]:
                raise ValueError(step)
        case _:
            raise ValueError(step["op"])
