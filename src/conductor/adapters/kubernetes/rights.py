"""Rights in a new namespace: Conductor's account may write nowhere, and gives itself one role where it made the namespace.

Source: Kubernetes' RBAC, "Privilege escalation prevention and bootstrapping": who holds `bind` on a role may bind it without holding
what it grants. `deploy/` has the roles, and the admission policy that keeps the binding to namespaces with Conductor's mark.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import ACCESS_REVIEW, Manifest
from conductor.adapters.kubernetes.api.problems import RIGHTS
from conductor.errors import UnreachableError

BINDING = "conductor"
UNTIL_IT_HOLDS = timedelta(seconds=10)
"""API servers learn of a binding by their own watches, each in its own time."""
LOOK = timedelta(seconds=0.05)
_ACCOUNT = "system:serviceaccount:"


async def take(client: Client, namespace: str, role: str, labels: dict[str, str]) -> None:
    """Bind the account that this process has to the ClusterRole `role` in the namespace; returns once that holds."""
    await client.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": BINDING, "namespace": namespace, "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [_subject(await _who(client))],
        }
    )
    try:
        async with asyncio.timeout(UNTIL_IT_HOLDS.total_seconds()):
            while not await _may_write(client, namespace):  # noqa: ASYNC110 -- the server tells nobody when
                await asyncio.sleep(LOOK.total_seconds())
    except TimeoutError:
        raise UnreachableError(
            f"the role {role} was bound in {namespace}, and gives no right there yet", remedy=RIGHTS
        ) from None


async def _who(client: Client) -> str:
    """Ask the API server who this is (SelfSubjectReview: everybody who is known may ask)."""
    review: Manifest = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await client.ask("POST", path, doing="asking who Conductor is", body=review)
    return str(answer["status"]["userInfo"]["username"])


def _subject(user: str) -> Manifest:
    """Name an account or a user as a binding does.

    >>> _subject("system:serviceaccount:conductor:runner")
    {'kind': 'ServiceAccount', 'namespace': 'conductor', 'name': 'runner'}
    """
    if user.startswith(_ACCOUNT):
        namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


async def _may_write(client: Client, namespace: str) -> bool:
    asked = {"namespace": namespace, "verb": "create", "group": "batch", "resource": "jobs"}
    review: Manifest = {
        "apiVersion": ACCESS_REVIEW.api,
        "kind": ACCESS_REVIEW.name,
        "spec": {"resourceAttributes": asked},
    }
    answer = await client.ask(
        "POST", ACCESS_REVIEW.path(), doing="asking for Conductor's rights", body=review
    )
    return bool((answer.get("status") or {}).get("allowed"))
