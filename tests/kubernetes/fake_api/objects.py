"""What can be done with objects: the verbs of the API, for clients and for the controllers alike.

Law: what comes in is checked in the real server's order (schema, defaults, admission, validation), and nothing half done is stored.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.kubernetes.fake_api import ownership, times
from tests.kubernetes.fake_api.admission import admit
from tests.kubernetes.fake_api.defaults import fill_in
from tests.kubernetes.fake_api.kinds import EVENTS, JOBS, NAMESPACES, PODS, Object, Resource
from tests.kubernetes.fake_api.ownership import Manager
from tests.kubernetes.fake_api.patches import json_patched, merged, strategic
from tests.kubernetes.fake_api.problems import (
    Problem,
    already_exists,
    bad_request,
    not_found,
    other_object,
    overtaken,
)
from tests.kubernetes.fake_api.schema import shape_of, without_unknown
from tests.kubernetes.fake_api.store import Store
from tests.kubernetes.fake_api.validation import check, check_fields, check_wish

MERGE, STRATEGIC, STEPS, APPLY = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
CONTROLLERS = Manager("kube-controller-manager", part="")
_KEPT = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a client wants something done."""

    manager: str = "unknown"
    dry_run: bool = False
    strict: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """How something is to be deleted (`DeleteOptions`)."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    version: str = ""
    dry_run: bool = False

    @classmethod
    def read(cls, options: Object) -> Deletion:
        conditions = options.get("preconditions") or {}
        return cls(
            grace=options.get("gracePeriodSeconds"),
            propagation=options.get("propagationPolicy") or "",
            uid=conditions.get("uid") or "",
            version=conditions.get("resourceVersion") or "",
            dry_run=bool(options.get("dryRun")),
        )


@dataclass
class Objects:
    store: Store
    track_owners: bool = True
    """Without it no managed fields are kept for plain writes: for measurements, where they would cost most of the time."""
    _sequence: dict[str, int] = field(default_factory=dict)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        found = self.store.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def create(self, resource: Resource, namespace: str, thing: Object, asked: Asked) -> Object:
        """Make an object that is not there yet."""
        check_fields(resource, thing, strict=asked.strict)
        thing = deepcopy(without_unknown(thing, shape_of(resource.schema)))
        metadata = thing.setdefault("metadata", {}) or {}
        thing["metadata"] = metadata
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"][:58] + "".join(
                secrets.choice(_LETTERS) for _ in range(5)
            )
        self._place(resource, namespace, thing)
        name = metadata.get("name") or ""
        if metadata.pop("resourceVersion", None):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if self.store.find(resource, namespace, name) is not None:
            raise already_exists(resource, name)
        return self._add(
            resource,
            thing,
            asked,
            lambda made: ownership.updated(None, made, shape_of(resource.schema), Manager(asked.manager)),
        )

    def _add(
        self, resource: Resource, thing: Object, asked: Asked, owners: Callable[[Object], ownership.Owners]
    ) -> Object:
        metadata = thing["metadata"]
        if "status" in resource.parts:
            thing.pop("status", None)
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=times.now())
        if "spec" in thing and resource.plural not in (
            "namespaces",
            "pods",
            "services",
            "persistentvolumeclaims",
        ):
            metadata["generation"] = 1
        if metadata.get("name"):
            fill_in(resource, thing)
            admit(self.store, resource, thing)
        check(resource, thing, None)
        if self.track_owners:
            ownership.write(thing, owners(thing), resource.api, times.now())
        return thing if asked.dry_run else self.store.put(resource, thing)

    def _place(self, resource: Resource, namespace: str, thing: Object) -> None:
        thing.update(apiVersion=resource.api, kind=resource.kind)
        if not resource.namespaced:
            return
        named = thing["metadata"].setdefault("namespace", namespace) or namespace
        if named != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def replace(
        self, resource: Resource, namespace: str, name: str, thing: Object, asked: Asked, *, part: str = ""
    ) -> Object:
        """Put a whole object in the place of another."""
        check_fields(resource, thing, strict=asked.strict)
        return self._change(
            resource,
            namespace,
            name,
            lambda _: deepcopy(without_unknown(thing, shape_of(resource.schema))),
            asked,
            part=part,
        )

    def patch(  # noqa: PLR0917 -- what, where, how, for whom
        self,
        resource: Resource,
        namespace: str,
        name: str,
        changes: Any,
        kind: str,
        asked: Asked,
        *,
        part: str = "",
    ) -> Object:
        """Change parts of an object."""
        shape = shape_of(resource.schema)
        ways: dict[str, Callable[[Object], Any]] = {
            MERGE: lambda there: merged(there, changes),
            STRATEGIC: lambda there: strategic(there, changes, shape),
            STEPS: lambda there: json_patched(there, changes),
        }
        if kind not in ways:
            raise Problem(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - accepted media types include: {', '.join([*ways, APPLY])}")  # fmt: skip  # noqa: E501

        def changed(there: Object) -> Object:
            made = ways[kind](there)
            check_fields(resource, made, strict=asked.strict)
            return without_unknown(made, shape)

        return self._change(resource, namespace, name, changed, asked, part=part)

    def _change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[Object], Object],
        asked: Asked,
        *,
        part: str = "",
    ) -> Object:
        before = self.get(resource, namespace, name)
        made = change(before)
        version = (made.get("metadata") or {}).get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise overtaken(resource, name)
        after = self._settled(resource, before, made, part)
        manager = Manager(asked.manager, part=part if part == "status" else "")
        if self.track_owners:
            owners = ownership.updated(before, after, shape_of(resource.schema), manager)
            ownership.write(after, owners, resource.api, times.now())
        return self._keep(resource, before, after, asked)

    def apply(
        self, resource: Resource, namespace: str, name: str, wish: Object, asked: Asked, *, part: str = ""
    ) -> tuple[Object, bool]:
        """Make an object as wished (server-side apply); tell whether it is new."""
        wish = deepcopy(wish)
        wish.setdefault("metadata", {}).setdefault("name", name)
        if wish["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if wish["metadata"]["name"] != name:
            raise bad_request(
                f"the name of the object ({wish['metadata']['name']}) does not match the name on the URL ({name})"
            )
        check_wish(resource, wish)
        self._place(resource, namespace, wish)
        if part != "status" and "status" in resource.parts:
            wish.pop("status", None)
        before = self.store.find(resource, namespace, name)
        manager = Manager(asked.manager, "Apply", part)
        shape = shape_of(resource.schema)
        made, owners = ownership.applied(before, wish, shape, manager, api=resource.api, force=asked.force)
        if before is None:
            return self._add(resource, made, asked, lambda _: owners), True
        after = self._settled(resource, before, made, part)
        ownership.write(after, owners, resource.api, times.now())
        return self._keep(resource, before, after, asked), False

    def _settled(self, resource: Resource, before: Object, made: Object, part: str) -> Object:
        """Put together what is stored: what a client may not set stays, and the rest is checked."""
        if part == "status":
            after = {**deepcopy(before), "status": deepcopy(made.get("status") or {})}
            finalizers = (made.get("metadata") or {}).get("finalizers")
            if finalizers is not None:
                after["metadata"]["finalizers"] = finalizers
            return after
        after = deepcopy(made)
        metadata = after.setdefault("metadata", {})
        for key in _KEPT:
            metadata.pop(key, None)
            if key in before["metadata"]:
                metadata[key] = before["metadata"][key]
        metadata.update(
            name=before["metadata"]["name"], resourceVersion=before["metadata"]["resourceVersion"]
        )
        if "managedFields" in before["metadata"]:
            metadata["managedFields"] = deepcopy(before["metadata"]["managedFields"])
        self._place(resource, before["metadata"].get("namespace") or "", after)
        if "status" in resource.parts:
            after.pop("status", None)
            if "status" in before:
                after["status"] = deepcopy(before["status"])
        fill_in(resource, after)
        check(resource, after, before)
        if "generation" in metadata and after.get("spec") != before.get("spec"):
            metadata["generation"] += 1
        return after

    def _keep(self, resource: Resource, before: Object, after: Object, asked: Asked) -> Object:
        metadata = after["metadata"]
        if metadata.get("finalizers") in ([], None):
            metadata.pop("finalizers", None)
        if asked.dry_run:
            return after
        if metadata.get("deletionTimestamp") and self._is_over(resource, after):
            self.store.remove(resource, after)
            return after
        if _same(before, after):
            return before
        return self.store.put(resource, after)

    @staticmethod
    def _is_over(resource: Resource, thing: Object) -> bool:
        """Tell whether nothing holds an object any more whose end was asked for."""
        metadata = thing["metadata"]
        if resource is NAMESPACES:
            return not (thing["spec"].get("finalizers") or metadata.get("finalizers"))
        return not metadata.get("finalizers") and not metadata.get("deletionGracePeriodSeconds")

    def status(self, resource: Resource, thing: Object, **changes: Any) -> Object:
        """Change the status of an object, for a controller; nothing is written where nothing changes."""
        there = self.store.find(resource, thing["metadata"].get("namespace") or "", thing["metadata"]["name"])
        if there is None or there["metadata"]["uid"] != thing["metadata"]["uid"]:
            return thing
        new = {**(there.get("status") or {}), **changes}
        after = {**there, "status": {key: value for key, value in new.items() if value is not None}}
        if after["status"] == there.get("status"):
            return there
        return self.store.put(resource, {**after, "metadata": dict(there["metadata"])})

    def alter(self, resource: Resource, thing: Object, change: Callable[[Object], None]) -> Object:
        """Change an object in place of a controller; what is to be deleted and is held by nothing goes."""
        there = self.store.find(resource, thing["metadata"].get("namespace") or "", thing["metadata"]["name"])
        if there is None or there["metadata"]["uid"] != thing["metadata"]["uid"]:
            return thing
        after = deepcopy(there)
        change(after)
        return self._keep(resource, there, after, Asked())

    def delete(
        self, resource: Resource, namespace: str, name: str, deletion: Deletion
    ) -> tuple[Object, bool]:
        """Ask for an object's end; tell whether it is gone at once."""
        found = self.get(resource, namespace, name)
        metadata = found["metadata"]
        if deletion.uid and deletion.uid != metadata["uid"]:
            raise other_object(resource, name, "UID", deletion.uid, metadata["uid"])
        if deletion.version and deletion.version != metadata["resourceVersion"]:
            raise other_object(
                resource, name, "ResourceVersion", deletion.version, metadata["resourceVersion"]
            )
        if deletion.dry_run:
            return found, True
        after = deepcopy(found)
        if hold := _hold(resource, deletion.propagation):
            finalizers = after["metadata"].setdefault("finalizers", [])
            if hold not in finalizers:
                finalizers.append(hold)
        grace = self._grace(resource, found, deletion)
        if grace or after["metadata"].get("finalizers") or resource is NAMESPACES:
            return self._begin_end(resource, found, after, grace), False
        return self.store.remove(resource, after), True

    def _grace(self, resource: Resource, thing: Object, deletion: Deletion) -> int:
        """Return how long a pod has to end, in seconds; one that does not run has nothing to do."""
        if resource is not PODS:
            return 0
        over = (thing.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if over or not thing["spec"].get("nodeName"):
            return 0
        asked = deletion.grace
        return int(asked if asked is not None else thing["spec"].get("terminationGracePeriodSeconds") or 0)

    def _begin_end(self, resource: Resource, found: Object, after: Object, grace: int) -> Object:
        metadata = after["metadata"]
        if metadata.get("deletionTimestamp"):
            if resource is PODS and grace < metadata.get("deletionGracePeriodSeconds", 0):
                metadata["deletionGracePeriodSeconds"] = grace
            return found if _same(found, after) else self.store.put(resource, after)
        metadata["deletionTimestamp"] = times.now()
        if resource is not NAMESPACES:
            metadata["deletionGracePeriodSeconds"] = grace
        if resource is NAMESPACES:
            after["status"] = {**(after.get("status") or {}), "phase": "Terminating"}
        if "generation" in metadata:
            metadata["generation"] += 1
        return self.store.put(resource, after)

    def record(
        self,
        thing: Object,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        source: str = "",
        field_path: str = "",
    ) -> None:
        """Write an event about an object, or count one more of the same."""
        namespace = thing["metadata"].get("namespace") or "default"
        name = f"{thing['metadata']['name']}.{abs(hash((reason, message, field_path, thing['metadata']['uid']))):016x}"[
            :240
        ]
        there = self.store.find(EVENTS, namespace, name)
        if there is not None:
            self.store.put(
                EVENTS,
                {
                    **there,
                    "metadata": dict(there["metadata"]),
                    "count": there["count"] + 1,
                    "lastTimestamp": times.now(),
                },
            )
            return
        found = self.store.find(NAMESPACES, "", namespace)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        self.store.put(
            EVENTS,
            {
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "uid": str(uuid.uuid4()),
                    "creationTimestamp": times.now(),
                },
                "involvedObject": _reference(thing, field_path),
                "reason": reason,
                "message": message,
                "source": {"component": source},
                "firstTimestamp": times.now(),
                "lastTimestamp": times.now(),
                "count": 1,
                "type": "Warning" if warning else "Normal",
                "eventTime": None,
                "reportingComponent": source,
                "reportingInstance": "",
            },
        )


def _reference(thing: Object, field_path: str) -> Object:
    metadata = thing["metadata"]
    found = {
        "kind": thing["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": thing["apiVersion"],
        "resourceVersion": metadata.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {key: value for key, value in found.items() if value}


def _hold(resource: Resource, propagation: str) -> str:
    """Return the finalizer that a deletion asks for. Jobs of batch/v1 leave their pods, where nothing is said."""
    asked = propagation or ("Orphan" if resource is JOBS else "Background")
    return {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(asked, "")


def _same(before: Object, after: Object) -> bool:
    """Tell whether nothing but bookkeeping differs."""

    def plain(thing: Object) -> Object:
        kept = {k: v for k, v in thing["metadata"].items() if k not in ("managedFields", "resourceVersion")}
        return {**thing, "metadata": kept}

    if plain(before) != plain(after):
        return False
    return [_untimed(e) for e in before["metadata"].get("managedFields") or ()] == [
        _untimed(e) for e in after["metadata"].get("managedFields") or ()
    ]


def _untimed(entry: Object) -> Object:
    return {key: value for key, value in entry.items() if key != "time"}
