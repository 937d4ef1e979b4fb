"""What the shipped account must not do is refused by a real API server, and what it must do is not.

Each request is judged twice: it is refused to the account, and would be granted to an administrator, so that nothing else is wrong
with it. Requests that change something are trial runs, which a server authorizes and admits as it does real ones.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.lease import Lease
from conductor.ports.engine import Diagnosis, Place
from tests.kubernetes.clusters import IMAGE, KUBECONFIG, TOOLS
from tests.kubernetes.installed import Installed, http, installed

__all__ = ["installed"]
pytestmark = pytest.mark.cluster
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MARK, LEVEL = "conductor.dev/instance", "pod-security.kubernetes.io/enforce"
VALUE = "c2VjcmV0LXZhbHVl"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """`own` is a namespace that the account made through the engine, `foreign` one that it did not; each has a Secret `given`."""

    account: httpx2.AsyncClient
    admin: httpx2.AsyncClient
    instance: str
    own: str
    foreign: str

    def filled(self, text: str) -> str:
        for name in ("instance", "own", "foreign"):
            text = text.replace(f"<{name}>", getattr(self, name))
        return text


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, with `<own>`, `<foreign>` and `<instance>` for names."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"

    async def by(self, client: httpx2.AsyncClient, ground: Ground) -> httpx2.Response:
        content = ground.filled(json.dumps(self.body)) if self.body is not None else None
        trial = {} if self.method == "GET" else {"dryRun": "All"}
        more = {"fieldManager": "test", "force": "true"} if "apply" in self.kind else {}
        headers = {**dict(self.headers), **({"Content-Type": self.kind} if content else {})}
        path = ground.filled(self.path)
        return await client.request(
            self.method, path, params={**trial, **more}, content=content, headers=headers
        )


@pytest.fixture
async def ground(installed: Installed) -> AsyncIterator[Ground]:
    run = f"t{uuid4().hex[:8]}"
    engine = KubernetesEngine(
        Connection(kubeconfig=installed.kubeconfig),
        site=Site(instance=installed.name, role=installed.role, tools_image=TOOLS),
    )
    made = Ground(
        account=http(installed.kubeconfig),
        admin=http(KUBECONFIG),
        instance=installed.name,
        own=f"conductor-{run}",
        foreign=f"{installed.name}-foreign-{run}",
    )
    now = datetime.now(UTC)
    lease = Lease(
        namespace=made.own, run=run, repository="", created_at=now, expires_at=now + timedelta(minutes=10)
    )
    foreign = named("Namespace", made.foreign, labels={MARK: "another", LEVEL: "baseline"})
    try:
        await engine.create_namespace(Place(namespace=made.own, run=run), lease)
        (await made.admin.post("/api/v1/namespaces", json=foreign)).raise_for_status()
        for namespace in (made.own, made.foreign):
            given = {**named("Secret", "given"), "data": {"key": VALUE}}
            (await made.admin.post(f"/api/v1/namespaces/{namespace}/secrets", json=given)).raise_for_status()
        yield made
    finally:
        with suppress(httpx2.HTTPError):
            await made.admin.delete(f"/api/v1/namespaces/{made.foreign}")
        await engine.delete_namespace(made.own)
        await engine.aclose()
        await made.account.aclose()
        await made.admin.aclose()


def named(kind: str, name: str, *, labels: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": dict(labels or {})}}


def pod(**security: Any) -> dict[str, Any]:
    """Write a pod that keeps to Pod Security `restricted`, but for what is named."""
    kept = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "x", "image": IMAGE, "securityContext": {**kept, **security}}
    return {**named("Pod", "x"), "spec": {"containers": [container]}}


SELF = {"kind": "ServiceAccount", "namespace": "<instance>", "name": "<instance>"}


def binding(
    role: str, *, subject: Mapping[str, str] = SELF, kind: str = "ClusterRole", of: str = "RoleBinding"
) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": of,
        "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [dict(subject)],
    }


def merge(path: str, changes: Mapping[str, Any]) -> Ask:
    return Ask("PATCH", path, changes, kind="application/merge-patch+json")


def labelled(namespace: str, **labels: str | None) -> Ask:
    keys = {"mark": MARK, "level": LEVEL}
    changes = {"metadata": {"labels": {keys[name]: value for name, value in labels.items()}}}
    return merge(f"/api/v1/namespaces/{namespace}", changes)


def bound(namespace: str, body: Mapping[str, Any]) -> Ask:
    return Ask("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", body)


ROLE = "<instance>-namespace"
NAMESPACES = "/api/v1/namespaces"
NAMESPACE_CASES = {
    "make a namespace without a mark": Ask(
        "POST", NAMESPACES, named("Namespace", "<own>-2", labels={LEVEL: "baseline"})
    ),
    "make one with another's mark": Ask(
        "POST", NAMESPACES, named("Namespace", "<own>-2", labels={MARK: "another", LEVEL: "baseline"})
    ),
    "make one without Pod Security": Ask(
        "POST", NAMESPACES, named("Namespace", "<own>-2", labels={MARK: "<instance>"})
    ),
    "make one with privileged pods": Ask(
        "POST", NAMESPACES, named("Namespace", "<own>-2", labels={MARK: "<instance>", LEVEL: "privileged"})
    ),
    "put its mark on another's": labelled("<foreign>", mark="<instance>"),
    "put its mark on default": labelled("default", mark="<instance>", level="baseline"),
    "put its mark on its own home": labelled("<instance>", mark="<instance>"),
    "take its mark away": labelled("<own>", mark=None),
    "give its namespace to another": labelled("<own>", mark="another"),
    "lower Pod Security": labelled("<own>", level="privileged"),
    "switch Pod Security off": labelled("<own>", level=None),
    "delete another's": Ask("DELETE", f"{NAMESPACES}/<foreign>"),
    "delete default": Ask("DELETE", f"{NAMESPACES}/default"),
}
PLACES = ("default", "kube-system", "<instance>", "<foreign>")
WRITE_CASES = {
    **{f"make a pod in {place}": Ask("POST", f"{NAMESPACES}/{place}/pods", pod()) for place in PLACES},
    **{
        f"make a ConfigMap in {place}": Ask(
            "POST", f"{NAMESPACES}/{place}/configmaps", named("ConfigMap", "x")
        )
        for place in PLACES
    },
    **{
        f"make a Secret in {place}": Ask("POST", f"{NAMESPACES}/{place}/secrets", named("Secret", "x"))
        for place in PLACES
    },
    **{f"bind itself in {place}": bound(place, binding(ROLE)) for place in PLACES},
    "change its own policy": merge(
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/<instance>",
        {"spec": {"failurePolicy": "Ignore"}},
    ),
    "change its own settings": merge(f"{NAMESPACES}/<instance>/configmaps/<instance>", {"data": {"X": "y"}}),
    "read a node through its proxy": Ask("GET", "/api/v1/nodes/node-1/proxy/healthz"),
}
GROUP = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}
RIGHTS_CASES = {
    **{
        f"bind itself to {role}": bound("<own>", binding(role))
        for role in ("cluster-admin", "admin", "view", "<instance>")
    },
    "bind another account": bound("<own>", binding(ROLE, subject={**SELF, "name": "default"})),
    "bind the account of the namespace": bound(
        "<own>", binding(ROLE, subject={**SELF, "namespace": "<own>", "name": "default"})
    ),
    "bind everybody": bound("<own>", binding(ROLE, subject=GROUP)),
    "bind itself everywhere": Ask(
        "POST", f"{RBAC}/clusterrolebindings", binding(ROLE, of="ClusterRoleBinding")
    ),
    "bind the binding again": merge(f"{RBAC}/namespaces/<own>/rolebindings/conductor", {"subjects": [GROUP]}),
    "widen its role": merge(
        f"{RBAC}/clusterroles/<instance>-namespace",
        {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
    ),
    "make a role": Ask(
        "POST",
        f"{RBAC}/namespaces/<own>/roles",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "x"},
            "rules": [],
        },
    ),
    "be somebody else": Ask(
        "GET", NAMESPACES, headers=(("Impersonate-User", "system:kube-controller-manager"),)
    ),
    "be a group": Ask(
        "GET", NAMESPACES, headers=(("Impersonate-User", "x"), ("Impersonate-Group", "system:masters"))
    ),
    **{
        f"get a token in {place}": Ask(
            "POST",
            f"{NAMESPACES}/{place}/serviceaccounts/default/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
        for place in ("<own>", "<instance>", "kube-system")
    },
}


def secret_cases(place: str) -> dict[str, Ask]:
    all_of, one = f"{NAMESPACES}/{place}/secrets", f"{NAMESPACES}/{place}/secrets/given"
    whole = {**named("Secret", "given"), "data": {"key": VALUE}}
    return {
        f"read a Secret in {place}": Ask("GET", one),
        f"list Secrets in {place}": Ask("GET", all_of),
        f"watch Secrets in {place}": Ask("GET", f"/api/v1/watch/namespaces/{place}/secrets"),
        f"merge nothing into a Secret in {place}": merge(one, {}),
        f"apply a Secret in {place}": Ask(
            "PATCH", one, named("Secret", "given"), kind="application/apply-patch+yaml"
        ),
        f"replace a Secret in {place}": Ask("PUT", one, whole),
        f"delete a Secret in {place}": Ask("DELETE", one),
        f"delete all Secrets in {place}": Ask("DELETE", all_of),
    }


SECRET_CASES = {
    **secret_cases("<own>"),
    **secret_cases("<foreign>"),
    "list all Secrets": Ask("GET", "/api/v1/secrets"),
}
CASES = {**NAMESPACE_CASES, **WRITE_CASES, **RIGHTS_CASES, **SECRET_CASES}


async def test_what_it_must_not_do_is_refused(ground: Ground) -> None:
    granted = {}
    for name, ask in CASES.items():
        answer = await ask.by(ground.account, ground)
        if answer.status_code != httpx2.codes.FORBIDDEN:
            granted[name] = f"{answer.status_code} {answer.text[:200]}"
        assert VALUE not in answer.text
    assert granted == {}


async def test_an_administrator_is_refused_none_of_it_so_it_is_rights_that_refuse(ground: Ground) -> None:
    refused = {}
    for name, ask in CASES.items():
        if "watch" in name:
            continue  # it would never end
        answer = await ask.by(ground.admin, ground)
        if answer.status_code in (httpx2.codes.FORBIDDEN, httpx2.codes.UNAUTHORIZED):
            refused[name] = answer.text[:300]
    protected = {"delete default"}  # which Kubernetes keeps from everybody
    assert refused.keys() <= protected, refused


async def test_a_privileged_pod_is_refused_in_its_own_namespace(ground: Ground) -> None:
    ask = Ask("POST", f"{NAMESPACES}/<own>/pods", pod(privileged=True, allowPrivilegeEscalation=True))
    for client in (ground.account, ground.admin):
        answer = await ask.by(client, ground)
        assert answer.status_code == httpx2.codes.FORBIDDEN
        assert "PodSecurity" in answer.text


async def test_a_secret_is_made_and_can_be_told_to_be_there_without_being_read(ground: Ground) -> None:
    made = {**named("Secret", "made"), "immutable": True, "data": {"key": VALUE}}
    path = f"{NAMESPACES}/{ground.own}/secrets"
    first = await ground.account.post(path, json=made)
    assert first.status_code == httpx2.codes.CREATED
    empty = await ground.account.post(path, json=named("Secret", "made"), params={"dryRun": "All"})
    assert empty.status_code == httpx2.codes.CONFLICT
    assert VALUE not in empty.text


async def test_what_it_must_do_in_its_own_namespace_is_granted(ground: Ground) -> None:
    asks = {
        "pod": Ask("POST", f"{NAMESPACES}/<own>/pods", pod()),
        "settings": Ask("POST", f"{NAMESPACES}/<own>/configmaps", named("ConfigMap", "x")),
        "lease": merge(f"{NAMESPACES}/<own>", {"metadata": {"annotations": {"conductor.dev/x": "y"}}}),
        "another namespace": Ask(
            "POST", NAMESPACES, named("Namespace", "<own>-2", labels={MARK: "<instance>", LEVEL: "baseline"})
        ),
        "end": Ask("DELETE", f"{NAMESPACES}/<own>"),
    }
    answers = {name: (await ask.by(ground.account, ground)).status_code for name, ask in asks.items()}
    assert all(httpx2.codes.is_success(code) for code in answers.values()), answers


async def test_a_namespace_is_removed_whose_maker_died_before_it_took_its_rights(
    installed: Installed,
) -> None:
    name = f"{installed.name}-{uuid4().hex[:8]}"
    now = datetime.now(UTC)
    lease = Lease(namespace=name, run=name, repository="", created_at=now, expires_at=now)
    maker = KubernetesEngine(Connection(kubeconfig=KUBECONFIG), site=Site(instance=installed.name))
    site = Site(instance=installed.name, role=installed.role)
    sweeper = KubernetesEngine(Connection(kubeconfig=installed.kubeconfig), site=site)
    try:
        await maker.create_namespace(Place(namespace=name, run=name), lease)
        assert await sweeper.delete_namespace(name) > 0
        assert name not in [space.name for space in await maker.namespaces()]
    finally:
        await maker.delete_namespace(name)
        await maker.aclose()
        await sweeper.aclose()


async def test_doctor_finds_that_all_is_well(installed: Installed) -> None:
    found = await diagnosed(installed, role=installed.role)
    assert {line.subject: (line.detail, line.remedy) for line in found if not line.ok} == {}
    assert {"rights", "rights in a namespace", "secrets", "pod security"} <= {line.subject for line in found}


async def test_doctor_names_the_right_that_is_missing(installed: Installed) -> None:
    rights = next(line for line in await diagnosed(installed, role="admin") if line.subject == "rights")
    assert not rights.ok
    assert rights.detail == "missing: bind clusterroles.rbac.authorization.k8s.io"
    assert "deploy/" in rights.remedy


async def diagnosed(installed: Installed, *, role: str) -> Sequence[Diagnosis]:
    site = Site(instance=installed.name, role=role, tools_image=TOOLS)
    engine = KubernetesEngine(Connection(kubeconfig=installed.kubeconfig), site=site)
    try:
        return await engine.diagnose()
    finally:
        await engine.aclose()
