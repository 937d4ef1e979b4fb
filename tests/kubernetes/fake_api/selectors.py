"""Label and field selectors, read and refused as the API server does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.kubernetes.fake_api.kinds import Object, Resource
from tests.kubernetes.fake_api.problems import bad_request

Matches = Callable[[Object], bool]
_FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
             "status.phase", "status.podIP", "status.nominatedNodeName"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent",
               "source", "type"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "jobs": ("status.successful",),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
}  # fmt: skip
_SET = re.compile(r"^(!?)\s*([\w./-]+)\s*(?:(in|notin)\s*\(([^)]*)\))?$")
_EQUAL = re.compile(r"^([\w./-]+)\s*(==|!=|=)\s*([\w.-]*)$")


def selecting(resource: Resource, labels: str, fields: str) -> Matches:
    """Read both; the answer tells whether an object is meant."""
    tests = [*_labels(labels), *_fields(resource, fields)]
    return lambda thing: all(test(thing) for test in tests)


def matching(selector: Object | None) -> Matches:
    """Read a `LabelSelector` object; nothing selects nothing."""
    wanted = (selector or {}).get("matchLabels") or {}
    rules = (selector or {}).get("matchExpressions") or []
    return lambda thing: (
        bool(selector is not None)
        and all(
            [*(_label(thing, k) == v for k, v in wanted.items()), *(_holds(thing, rule) for rule in rules)]
        )
    )


def _holds(thing: Object, rule: Object) -> bool:
    value, values = _label(thing, rule["key"]), rule.get("values") or []
    match rule["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
    return value is None


def _labels(text: str) -> list[Matches]:
    return [_label_test(part) for part in _parts(text)]


def _label_test(part: str) -> Matches:
    if found := _EQUAL.match(part):
        key, operator, value = found.groups()
        return lambda thing: (_label(thing, key) == value) is (operator != "!=")
    if found := _SET.match(part):
        denied, key, operator, listed = found.groups()
        if not operator:
            return lambda thing: (_label(thing, key) is None) is bool(denied)
        values = [value.strip() for value in listed.split(",")]
        return lambda thing: (_label(thing, key) in values) is (operator == "in")
    raise bad_request(f"unable to parse requirement: found '', expected: ',' or ')' in {part!r}")


def _fields(resource: Resource, text: str) -> list[Matches]:
    return [_field_test(resource, part) for part in _parts(text)]


def _field_test(resource: Resource, part: str) -> Matches:
    path, operator, value = re.split(r"(!=|==|=)", part, maxsplit=1)
    known = (
        "metadata.name",
        *(("metadata.namespace",) if resource.namespaced else ()),
        *_FIELDS.get(resource.plural, ()),
    )
    if path not in known:
        listed = ", ".join(f'"{field}"' for field in known)
        raise bad_request(f'"{path}" is not a known field selector: only {listed}')
    return lambda thing: (str(_field(thing, path)) == value) is (operator != "!=")


def _parts(text: str) -> list[str]:
    """Split at the commas that are in no parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _label(thing: Object, key: str) -> str | None:
    return (thing["metadata"].get("labels") or {}).get(key)


def _field(thing: Object, path: str) -> Any:
    found: Any = thing
    for step in path.split("."):
        found = (found or {}).get(step) if isinstance(found, dict) else None
    return "" if found is None else found
