"""The shipped roles grant what the engine needs and nothing else; the checker of them sees what is slipped in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.deploy.reach import Account, Grant, Manifest, breaches, reach
from tests.unit.deploy.rendered import BASE, DEPLOY, OVERLAYS, helm, kustomize
from tests.unit.kubernetes.pod_security import breaks

from conductor.adapters.kubernetes.diagnosis import (
    DISMISSING,
    EVERYWHERE,
    INSIDE,
    Right,
    binding_rights,
    bringing_rights,
)
from conductor.adapters.kubernetes.syncing import BINDING
from conductor.settings import Settings

ACCOUNT = Account("conductor", "conductor")
RUNNER = Account("arc-runners", "conductor-runner")
WRITER = "conductor-secret-writer"
SECRETS = OVERLAYS / "secrets"
ROLES = {"secrets": 2}
"""How many roles an account may bind; all others one."""
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def shipped() -> list[Manifest]:
    return kustomize(BASE)


@pytest.mark.parametrize("folder", [BASE, *sorted(OVERLAYS.iterdir())], ids=lambda folder: folder.name)
def test_no_kustomization_gives_more_than_a_platform_engineer_signs(folder: Path):
    assert breaches(kustomize(folder), ACCOUNT, roles=ROLES.get(folder.name, 1)) == []


def test_neither_does_the_chart_whatever_its_instance_is_called():
    made = helm(namespace="ci", instance="second")
    assert breaches(made, Account("ci", "second")) == []
    assert (
        len(reach(made, Account("ci", "second")))
        == len(granted(EVERYWHERE, everywhere=True)) + len(granted(INSIDE, everywhere=False)) + 2
    )


def test_the_roles_grant_what_the_engine_needs_and_nothing_more(shipped: list[Manifest]):
    own = granted((*EVERYWHERE, *binding_rights("conductor-namespace")), everywhere=True)
    assert reach(shipped, ACCOUNT) == own | granted(INSIDE, everywhere=False)


def test_where_a_runner_brings_secrets_it_may_let_that_one_in_and_out_and_nothing_more():
    more = (*EVERYWHERE, *binding_rights("conductor-namespace"), *bringing_rights(WRITER))
    inside = granted((*INSIDE, *DISMISSING), everywhere=False)
    assert reach(kustomize(SECRETS), ACCOUNT) == granted(more, everywhere=True) | inside
    assert {right.name for right in DISMISSING} == {BINDING}


def test_the_runner_may_nothing_anywhere_but_create_while_it_is_let_in():
    things = [*kustomize(SECRETS), *yaml.safe_load_all((DEPLOY / "arc" / "account.yaml").read_text())]
    assert reach(things, RUNNER) == set()
    let_in(things)
    creates = (
        Right(group="", resource="secrets", verbs=("create",)),
        Right(group="", resource="configmaps", verbs=("create",)),
    )
    assert reach(things, RUNNER) == granted(creates, everywhere=False)
    assert breaches(things, RUNNER) == []


@pytest.mark.parametrize(
    "verb", ["get", "list", "watch", "patch", "update", "delete", "deletecollection", "*"]
)
def test_what_is_slipped_into_the_runners_role_is_seen_for_both(verb: str):
    things = deepcopy(kustomize(SECRETS))
    rule(WRITER, resources=["secrets"], verbs=[verb])(things)
    let_in(things)
    assert breaches(things, RUNNER)
    assert breaches(things, ACCOUNT, roles=2), "what it may give it may have"


def test_the_scale_set_runs_as_the_account_that_conductor_lets_in():
    values = yaml.safe_load((DEPLOY / "arc" / "values.yaml").read_text())
    names = {
        thing["kind"]: thing["metadata"]
        for thing in yaml.safe_load_all((DEPLOY / "arc" / "account.yaml").read_text())
    }
    assert values["template"]["spec"]["serviceAccountName"] == names["ServiceAccount"]["name"] == RUNNER.name
    assert names["ServiceAccount"]["namespace"] == names["Namespace"]["name"] == RUNNER.namespace
    assert Settings.model_fields["secrets_account"].default == f"{RUNNER.namespace}/{RUNNER.name}"
    assert Settings.model_fields["secrets_role"].default == WRITER
    assert breaks("restricted", {"spec": values["template"]["spec"]}) == []


def let_in(things: list[Manifest]) -> None:
    """Add what Conductor makes while a sync takes."""
    subject = {"kind": "ServiceAccount", "namespace": RUNNER.namespace, "name": RUNNER.name}
    binding("RoleBinding", WRITER, subject)(things)


def granted(rights: Iterable[Right], *, everywhere: bool) -> set[Grant]:
    return {
        Grant(everywhere, one.group, one.resource, one.name, verb) for one in rights for verb in one.verbs
    }


def rule(role: str, **more: Any) -> Callable[[list[Manifest]], None]:
    """Slip one more rule into a role."""

    def slip(things: list[Manifest]) -> None:
        named = [t for t in things if t["kind"] == "ClusterRole" and t["metadata"]["name"] == role]
        named[0]["rules"].append({"apiGroups": [""], **more})

    return slip


def binding(kind: str, role: str, subject: Manifest) -> Callable[[list[Manifest]], None]:
    """Slip one more binding in."""

    def slip(things: list[Manifest]) -> None:
        metadata = {"name": "more"} | ({"namespace": "default"} if kind == "RoleBinding" else {})
        role_ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        things.append({"kind": kind, "metadata": metadata, "roleRef": role_ref, "subjects": [subject]})

    return slip


def chain(things: list[Manifest]) -> None:
    """Let the role that may be bound bind another one, which reads secrets."""
    rule(
        "conductor-namespace",
        apiGroups=[RBAC],
        resources=["clusterroles"],
        resourceNames=["third"],
        verbs=["bind"],
    )(things)
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    things.append({"kind": "ClusterRole", "metadata": {"name": "third"}, "rules": rules})


def aggregated(things: list[Manifest]) -> None:
    role = next(t for t in things if t["metadata"]["name"] == "conductor-namespace")
    role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"more": "yes"}}]}


def aggregating(things: list[Manifest]) -> None:
    role = next(t for t in things if t["metadata"]["name"] == "conductor-namespace")
    role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] = "true"


SELF = {"kind": "ServiceAccount", "namespace": "conductor", "name": "conductor"}
BOTH = ("conductor", "conductor-namespace")
READS = ("get", "list", "watch", "patch", "update", "delete", "deletecollection")
MORE = {
    **{
        f"{verb} secrets by {role}": rule(role, resources=["secrets"], verbs=[verb])
        for role in BOTH
        for verb in READS
    },
    **{f"all verbs by {role}": rule(role, resources=["pods"], verbs=["*"]) for role in BOTH},
    **{f"all resources by {role}": rule(role, resources=["*"], verbs=["list"]) for role in BOTH},
    **{
        f"all groups by {role}": rule(role, apiGroups=["*"], resources=["jobs"], verbs=["list"])
        for role in BOTH
    },
    **{f"all parts by {role}": rule(role, resources=["pods/*"], verbs=["get"]) for role in BOTH},
    **{
        f"{verb} by {role}": rule(role, apiGroups=[RBAC], resources=["clusterroles"], verbs=[verb])
        for role in BOTH
        for verb in ("escalate", "bind", "update")
    },
    **{f"impersonate by {role}": rule(role, resources=["users"], verbs=["impersonate"]) for role in BOTH},
    **{
        f"tokens by {role}": rule(role, resources=["serviceaccounts/token"], verbs=["create"])
        for role in BOTH
    },
    **{f"an address by {role}": rule(role, nonResourceURLs=["/metrics"], verbs=["get"]) for role in BOTH},
    "to bind a role of a namespace": rule(
        "conductor",
        apiGroups=[RBAC],
        resources=["roles"],
        resourceNames=["conductor-namespace"],
        verbs=["bind"],
    ),
    "to bind a second role": rule(
        "conductor", apiGroups=[RBAC], resources=["clusterroles"], resourceNames=["conductor"], verbs=["bind"]
    ),
    "to bind a role of somebody else": rule(
        "conductor",
        apiGroups=[RBAC],
        resources=["clusterroles"],
        resourceNames=["cluster-admin"],
        verbs=["bind"],
    ),
    "to bind a role that binds": chain,
    "to bind in a namespace": rule(
        "conductor-namespace", apiGroups=[RBAC], resources=["rolebindings"], verbs=["create"]
    ),
    "to change bindings": rule("conductor", apiGroups=[RBAC], resources=["rolebindings"], verbs=["patch"]),
    "to bind everywhere": rule(
        "conductor", apiGroups=[RBAC], resources=["clusterrolebindings"], verbs=["create"]
    ),
    "pods everywhere": rule("conductor", resources=["pods"], verbs=["create"]),
    "secrets everywhere": rule("conductor", resources=["secrets"], verbs=["create"]),
    "everybody's logs": rule("conductor", resources=["pods/log"], verbs=["get"]),
    "everybody's shells": rule("conductor", resources=["pods/exec"], verbs=["get"]),
    "nodes": rule("conductor", resources=["nodes/proxy"], verbs=["get"]),
    "namespaces replaced": rule("conductor", resources=["namespaces"], verbs=["update"]),
    "cluster-admin": binding("ClusterRoleBinding", "cluster-admin", SELF),
    "admin of one namespace": binding("RoleBinding", "admin", SELF),
    "the role of runs everywhere": binding("ClusterRoleBinding", "conductor-namespace", SELF),
    "a binding by group": binding(
        "ClusterRoleBinding", "view", {"kind": "Group", "name": "system:serviceaccounts:conductor"}
    ),
    "a binding by user name": binding(
        "ClusterRoleBinding", "view", {"kind": "User", "name": "system:serviceaccount:conductor:conductor"}
    ),
    "rules that others add": aggregated,
    "rules that go to others": aggregating,
}


@pytest.mark.parametrize("slip", MORE.values(), ids=MORE.keys())
def test_what_is_slipped_in_is_seen(shipped: list[Manifest], slip: Callable[[list[Manifest]], None]):
    things = deepcopy(shipped)
    slip(things)
    assert breaches(things, ACCOUNT)


def test_rights_of_others_are_not_the_accounts(shipped: list[Manifest]):
    things = deepcopy(shipped)
    binding("ClusterRoleBinding", "cluster-admin", {**SELF, "name": "another"})(things)
    assert breaches(things, ACCOUNT) == []
