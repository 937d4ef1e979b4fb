"""How far an account reaches: every right that it has, or can give itself, and what of that nobody would sign.

Source: Kubernetes' RBAC reference, "Privilege escalation prevention and bootstrapping", and "RBAC good practices".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Manifest = dict[str, Any]
READING = frozenset({"get", "list", "watch"})
WRITTEN_EVERYWHERE = {
    "namespaces": {"create", "patch", "delete"},
    "rolebindings": {"create"},
}
"""Both are bounded by the admission policy."""
CONNECTED_TO = frozenset({"exec", "attach", "portforward", "proxy", "log"})
"""Parts of an object that `get` reaches into: a websocket begins with GET."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One right. `everywhere` is what holds in each namespace; else it holds where it was bound."""

    everywhere: bool
    group: str
    resource: str
    name: str
    verb: str

    def __str__(self) -> str:
        where = "everywhere" if self.everywhere else "in a namespace"
        return f"{self.verb} {self.resource}.{self.group} {self.name} {where}".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Account:
    namespace: str
    name: str


def breaches(things: Sequence[Manifest], account: Account, *, roles: int = 1) -> list[str]:
    """List what an account may that it must not; empty is good. `roles`: how many it may bind."""
    found = list(_unseen(things, account))
    grants = reach(things, account)
    found += [f"{grant}: {why}" for grant in sorted(grants, key=str) for why in _wrong(grant)]
    bound = {grant.name for grant in grants if grant.verb == "bind"}
    if len(bound) > roles:
        found.append(f"it may bind {', '.join(sorted(bound))}: {roles} of them are enough")
    return found


def reach(things: Sequence[Manifest], account: Account) -> set[Grant]:
    """Collect all rights of an account, also those of every role that it may bind, and of those that these may bind."""
    roles = _roles(things)
    waiting = [
        (binding["kind"] == "ClusterRoleBinding", _role_of(binding)) for binding in _bindings(things, account)
    ]
    seen: set[tuple[bool, tuple[str, str, str]]] = set()
    grants: set[Grant] = set()
    while waiting:
        place = waiting.pop()
        if place in seen or place[1] not in roles:
            continue
        seen.add(place)
        for grant in _grants(roles[place[1]], everywhere=place[0]):
            grants.add(grant)
            if grant.verb == "bind" and grant.name:
                waiting.append((False, ("ClusterRole", "", grant.name)))
    return grants


def _wrong(grant: Grant) -> Iterator[str]:
    resource, _, part = grant.resource.partition("/")
    if "*" in (grant.group, resource, part, grant.name, grant.verb):
        yield "a wildcard"
    if resource == "secrets" and grant.verb != "create":
        yield "that is reading, or may be"
    if grant.verb in ("escalate", "impersonate"):
        yield "that is every right"
    if resource == "serviceaccounts" and part:
        yield "a token is the account"
    if grant.verb == "bind" and (grant.resource != "clusterroles" or not grant.name):
        yield "a right to bind names one ClusterRole"
    if grant.resource.startswith("/"):
        yield "no address of the server is needed"
    takes_back = grant.resource == "rolebindings" and grant.verb == "delete" and grant.name
    if not grant.everywhere and grant.group == "rbac.authorization.k8s.io" and not takes_back:
        yield "what is given in a namespace gives nothing on"
    if grant.everywhere and part in CONNECTED_TO:
        yield "that reaches into everybody's pods"
    if grant.everywhere and grant.verb not in READING | {"bind"} | WRITTEN_EVERYWHERE.get(
        grant.resource, set()
    ):
        yield "that is a write in every namespace"


def _unseen(things: Sequence[Manifest], account: Account) -> Iterator[str]:
    """Tell of roles whose rules are not here to be read."""
    roles = _roles(things)
    bound = [_role_of(binding) for binding in _bindings(things, account)]
    bound += [
        ("ClusterRole", "", grant.name)
        for grant in reach(things, account)
        if grant.verb == "bind" and grant.name
    ]
    for role in bound:
        if role not in roles:
            yield f"{role[2]}: nobody can tell what this role grants"
        elif roles[role].get("aggregationRule"):
            yield f"{role[2]}: others add to this role"
    for (_, _, name), role in roles.items():
        if any("aggregate-to" in label for label in role["metadata"].get("labels") or {}):
            yield f"{name}: it adds to roles of others"


def _roles(things: Sequence[Manifest]) -> dict[tuple[str, str, str], Manifest]:
    return {
        (thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]): thing
        for thing in things
        if thing["kind"] in ("Role", "ClusterRole")
    }


def _bindings(things: Sequence[Manifest], account: Account) -> list[Manifest]:
    kinds = ("RoleBinding", "ClusterRoleBinding")
    return [
        thing
        for thing in things
        if thing["kind"] in kinds and any(_means(subject, account) for subject in thing.get("subjects") or ())
    ]


def _means(subject: Manifest, account: Account) -> bool:
    if subject["kind"] == "Group":
        groups = (
            "system:authenticated",
            "system:serviceaccounts",
            f"system:serviceaccounts:{account.namespace}",
        )
        return subject["name"] in groups
    if subject["kind"] == "User":
        return bool(subject["name"] == f"system:serviceaccount:{account.namespace}:{account.name}")
    return (subject["namespace"], subject["name"]) == (account.namespace, account.name)


def _role_of(binding: Manifest) -> tuple[str, str, str]:
    kind = binding["roleRef"]["kind"]
    namespace = binding["metadata"].get("namespace", "") if kind == "Role" else ""
    return kind, namespace, binding["roleRef"]["name"]


def _grants(role: Manifest, *, everywhere: bool) -> Iterator[Grant]:
    for rule in role.get("rules") or ():
        names = rule.get("resourceNames") or [""]
        for group, resource, name, verb in product(
            rule.get("apiGroups") or (), rule.get("resources") or (), names, rule["verbs"]
        ):
            yield Grant(everywhere, group, resource, name, verb)
        for address, verb in product(rule.get("nonResourceURLs") or (), rule["verbs"]):
            yield Grant(everywhere, "", address, "", verb)
