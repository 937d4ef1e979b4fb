"""What makes an object invalid, as far as Conductor's objects can get it wrong: each with field and words of the real server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.kubernetes.fake_api.kinds import (
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Object,
    Resource,
)
from tests.kubernetes.fake_api.problems import Cause, Problem, bad_request, cause, invalid
from tests.kubernetes.fake_api.schema import faults, shape_of
from tests.kubernetes.fake_api.selectors import matching

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SAID_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    f"character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SAID_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    r"alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\."
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_IMMUTABLE = "field is immutable"
_POD_UPDATES = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


def check_fields(resource: Resource, thing: Object, *, strict: bool) -> None:
    """Refuse what is not in the schema: another type always, an unknown field where it is asked for."""
    found = list(faults(thing, shape_of(resource.schema)))
    handled = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    for fault in found:
        if fault.wanted:
            said = f"json: cannot unmarshal {fault.found} into Go struct field {_go_field(resource, fault.path)} of type {fault.wanted}"
            raise bad_request(f"{handled}: {said}")
    if found and strict:
        unknown = ", ".join(f'unknown field "{_plain(fault.path)}"' for fault in found)
        raise bad_request(f"{handled}: strict decoding error: {unknown}")


def check_wish(resource: Resource, thing: Object) -> None:
    """Refuse what server-side apply cannot type: the real server answers 500 there."""
    found = [fault for fault in faults(thing, shape_of(resource.schema)) if not fault.wanted]
    if not found:
        return check_fields(resource, thing, strict=False)
    lines = [f"{fault.path}: field not declared in schema" for fault in found]
    said = lines[0] if len(lines) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in lines)
    metadata = thing["metadata"]
    kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
    named = f"{metadata.get('namespace') or ''}/{metadata['name']}"
    raise Problem(500, "", f"failed to create typed patch object ({named}; {kind}): {said}")


def _plain(path: str) -> str:
    return re.sub(r'\[\w+="?[^\]]*\]', "[0]", path).removeprefix(".")


def _go_field(resource: Resource, path: str) -> str:
    steps = _plain(path).split(".")
    return f"{resource.kind}{steps[-2].capitalize() if len(steps) > 1 else ''}.{'.'.join(steps)}"


def check(resource: Resource, thing: Object, before: Object | None) -> None:
    """Refuse what the real server calls invalid."""
    causes = [*_metadata(resource, thing)]
    if rules := _RULES.get(resource):
        causes += rules(thing, before)
    if causes:
        raise invalid(resource, thing["metadata"].get("name") or "", causes)


def _metadata(resource: Resource, thing: Object) -> Iterator[Cause]:
    metadata = thing["metadata"]
    name = metadata.get("name") or ""
    if not name:
        yield cause("metadata.name", "Required", "name or generateName is required")
    elif resource in (NAMESPACES, SERVICES):
        yield from _named("metadata.name", name, _LABEL, _SAID_LABEL)
    elif resource.group != "rbac.authorization.k8s.io":
        yield from _named("metadata.name", name, _SUBDOMAIN, _SAID_SUBDOMAIN)
    for key, value in (metadata.get("labels") or {}).items():
        if len(value or "") > 63:
            yield cause("metadata.labels", "Invalid", f"{json.dumps(value)}: must be no more than 63 bytes")
        elif value and not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", value):
            yield cause("metadata.labels", "Invalid", f"{json.dumps(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")  # fmt: skip  # noqa: E501
        if len(key.rpartition("/")[2]) > 63:
            yield cause(
                "metadata.labels", "Invalid", f"{json.dumps(key)}: name part must be no more than 63 bytes"
            )


def _named(field: str, name: str, pattern: str, said: str) -> Iterator[Cause]:
    if not re.fullmatch(pattern, name):
        yield cause(field, "Invalid", f"{json.dumps(name)}: {said}")
    elif len(name) > (63 if pattern == _LABEL else 253):
        yield cause(
            field,
            "Invalid",
            f"{json.dumps(name)}: must be no more than {63 if pattern == _LABEL else 253} bytes",
        )


def _pod(thing: Object, before: Object | None) -> Iterator[Cause]:
    yield from _pod_spec(thing.get("spec") or {}, "spec")
    if before is not None and _fixed(thing["spec"]) != _fixed(before["spec"]):
        yield cause("spec", "Forbidden", _POD_UPDATES)
    if before is not None:
        yield from _deadline(
            thing["spec"].get("activeDeadlineSeconds"), before["spec"].get("activeDeadlineSeconds")
        )


def _deadline(now: int | None, before: int | None) -> Iterator[Cause]:
    field = "spec.activeDeadlineSeconds"
    if before is not None and now is None:
        yield cause(field, "Invalid", f"{before}: must not update from a positive integer to nil value")
    elif now is not None and now <= 0:
        yield cause(field, "Invalid", f"{now}: must be between 1 and 2147483647, inclusive")
    elif before is not None and now is not None and now > before:
        yield cause(field, "Invalid", f"{now}: must be less than or equal to previous value")


def _fixed(spec: Object) -> Object:
    """Return what may not change."""
    free = ("activeDeadlineSeconds", "tolerations", "containers", "initContainers", "nodeName")
    kept = {key: value for key, value in spec.items() if key not in free}
    for kind in ("containers", "initContainers"):
        kept[kind] = [{k: v for k, v in found.items() if k != "image"} for found in spec.get(kind) or ()]
    return kept


def _pod_spec(spec: Object, at: str, claims: frozenset[str] = frozenset()) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield cause(f"{at}.containers", "Required", "")
    volumes = {volume["name"] for volume in spec.get("volumes") or ()} | claims
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(kind) or ()):
            here = f"{at}.{kind}[{number}]"
            yield from _container(container, here, volumes)
            if container.get("name") in names:
                yield {
                    **cause(f"{here}.name", "Duplicate", json.dumps(container["name"])),
                    "reason": "FieldValueDuplicate",
                }
            names.add(container.get("name") or "")


def _container(container: Object, at: str, volumes: set[str]) -> Iterator[Cause]:
    if not container.get("name"):
        yield cause(f"{at}.name", "Required", "")
    else:
        yield from _named(f"{at}.name", container["name"], _LABEL, _SAID_LABEL)
    if not container.get("image"):
        yield cause(f"{at}.image", "Required", "")
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            found = cause(f"{at}.volumeMounts[{number}].name", "Required", "")
            yield {
                **found,
                "reason": "FieldValueNotFound",
                "message": f"Not found: {json.dumps(mount.get('name'))}",
            }
    for number, port in enumerate(container.get("ports") or ()):
        if not 0 < int(port.get("containerPort") or 0) < 65536:
            said = f"{port.get('containerPort')}: must be between 1 and 65535, inclusive"
            yield cause(f"{at}.ports[{number}].containerPort", "Invalid", said)


def _template(thing: Object) -> Iterator[Cause]:
    claims = frozenset(claim["metadata"]["name"] for claim in thing["spec"].get("volumeClaimTemplates") or ())
    yield from _pod_spec(thing["spec"]["template"].get("spec") or {}, "spec.template.spec", claims)


def _kept(before: Object | None, thing: Object, *path: str) -> Iterator[Cause]:
    """Refuse a change of a field that may not change."""
    if before is None:
        return
    old: Any = before
    new: Any = thing
    for step in path:
        old, new = (old or {}).get(step), (new or {}).get(step)
    if old != new:
        yield cause(".".join(path), "Invalid", f"{json.dumps(new, separators=(',', ':'))}: {_IMMUTABLE}")


def _workload(thing: Object, before: Object | None) -> Iterator[Cause]:
    spec = thing["spec"]
    labels = spec["template"]["metadata"].get("labels") or {}
    if not spec.get("selector"):
        yield cause("spec.selector", "Required", "")
    elif not matching(spec["selector"])({"metadata": {"labels": labels}}):
        said = f"{json.dumps(labels, separators=(',', ':'))}: `selector` does not match template `labels`"
        yield cause("spec.template.metadata.labels", "Invalid", said)
    yield from _template(thing)
    if spec["template"]["spec"].get("restartPolicy") != "Always":
        wrong = json.dumps(spec["template"]["spec"].get("restartPolicy"))
        found = cause("spec.template.spec.restartPolicy", "NotSupported", "")
        yield {**found, "message": f'Unsupported value: {wrong}: supported values: "Always"'}
    yield from _kept(before, thing, "spec", "selector")


def _job(thing: Object, before: Object | None) -> Iterator[Cause]:
    yield from _template(thing)
    policy = thing["spec"]["template"]["spec"].get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        yield {
            "reason": "FieldValueNotSupported",
            "message": f'Unsupported value: {json.dumps(policy)}: supported values: "OnFailure", "Never"',
            "field": "spec.template.spec.restartPolicy",
        }
    if before is not None and before["spec"]["template"] != thing["spec"]["template"]:
        yield cause(
            "spec.template", "Invalid", f"{json.dumps(thing['spec']['template'])[:200]}: {_IMMUTABLE}"
        )
    yield from _kept(before, thing, "spec", "completions")
    yield from _kept(before, thing, "spec", "selector")


def _claim(thing: Object, before: Object | None) -> Iterator[Cause]:
    if not thing["spec"].get("accessModes"):
        yield cause("spec.accessModes", "Required", "at least 1 access mode is required")
    without = [
        {k: v for k, v in (t or {}).get("spec", {}).items() if k != "volumeName"} for t in (before, thing)
    ]
    if before is not None and without[0] != without[1]:
        yield cause("spec", "Forbidden", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n")  # fmt: skip  # noqa: E501


def _immutable(thing: Object, before: Object | None) -> Iterator[Cause]:
    if before is None or not before.get("immutable"):
        return
    said = "field is immutable when `immutable` is set"
    if not thing.get("immutable"):
        yield cause("immutable", "Forbidden", said)
    for key in ("data", "binaryData"):
        if (before.get(key) or {}) != (thing.get(key) or {}):
            yield cause(key, "Forbidden", said)


def _service(thing: Object, before: Object | None) -> Iterator[Cause]:
    spec = thing["spec"]
    if spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName" and not spec.get("ports"):
        yield cause("spec.ports", "Required", "")


_RULES: dict[Resource, Callable[[Object, Object | None], Iterator[Cause]]] = {
    PODS: _pod,
    DEPLOYMENTS: _workload,
    REPLICA_SETS: _workload,
    STATEFUL_SETS: _workload,
    JOBS: _job,
    CLAIMS: _claim,
    SECRETS: _immutable,
    CONFIG_MAPS: _immutable,
    SERVICES: _service,
}
