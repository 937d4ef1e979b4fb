"""Secrets that a runner brings: its account is let into one namespace while a sync takes, and leaves a slip there that says what it made.

Law: nothing here reads, changes or removes a Secret. That one is there is told by a trial to make it again, which answers 409.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import CONFIG_MAP, ROLE_BINDING, Manifest
from conductor.adapters.kubernetes.api.problems import ForbiddenError
from conductor.adapters.kubernetes.manifests.render import MANAGED_BY
from conductor.adapters.kubernetes.manifests.secrets import synced_name
from conductor.adapters.kubernetes.manifests.site import Writer
from conductor.domain.names import LABEL_INSTANCE
from conductor.domain.stack import Service
from conductor.domain.states import REMEDIES
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.writing import Slip

LABEL = "conductor.dev/secrets"
"""On slips; the workflow writes it too."""
_SLIP = "slip"
BINDING = "conductor-secrets"
"""The only binding that Conductor may take away again (`deploy/` has the right)."""


class ClusterWriting:
    """The namespaces of one instance, for one runner's account."""

    def __init__(self, connection: Connection, *, instance: str, writer: Writer) -> None:
        self._connection = connection
        self._labels = {MANAGED_BY: "conductor", LABEL_INSTANCE: instance}
        self._writer = writer

    def secret_name(self, consumer: str, sync: str) -> str:
        """Name the Secret of a consumer in one sync."""
        return synced_name(consumer, sync)

    async def admit(self, namespace: str) -> None:
        """Bind the runner's account to the one role that may create Secrets."""
        account = {
            "kind": "ServiceAccount",
            "namespace": self._writer.namespace,
            "name": self._writer.account,
        }
        role = {"apiGroup": ROLE_BINDING.group, "kind": "ClusterRole", "name": self._writer.role}
        await (await self._connection.client()).create(
            self._object(ROLE_BINDING.name, ROLE_BINDING.api, BINDING, namespace)
            | {"roleRef": role, "subjects": [account]}
        )

    async def dismiss(self, namespace: str) -> None:
        """Take the binding away."""
        await (await self._connection.client()).delete(ROLE_BINDING, BINDING, namespace)

    async def note(self, namespace: str, sync: str, key: str) -> None:
        """Leave a slip that the sync has begun."""
        made = self._object(CONFIG_MAP.name, CONFIG_MAP.api, f"conductor-sync-{sync}", namespace)
        made["metadata"]["labels"] |= {LABEL: _SLIP}
        await (await self._connection.client()).create(
            made | {"immutable": True, "data": {"sync": sync, "key": key}}
        )

    async def slips(self, namespace: str) -> Sequence[Slip]:
        """Read the slips. Where Conductor has no right there is no namespace of its own, and none."""
        try:
            return await read_slips(await self._connection.client(), namespace)
        except ForbiddenError:
            return ()

    async def has_secret(self, namespace: str, name: str) -> bool:
        """Try to make it."""
        empty: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
        }
        return await (await self._connection.client()).create(empty, dry_run=True) is None

    def _object(self, kind: str, api: str, name: str, namespace: str) -> Manifest:
        metadata = {"name": name, "namespace": namespace, "labels": dict(self._labels)}
        return {"apiVersion": api, "kind": kind, "metadata": metadata}


async def read_slips(client: Client, namespace: str) -> Sequence[Slip]:
    """Return the slips of a namespace, oldest first, a receipt after its note."""
    found = (await client.list(CONFIG_MAP, namespace, labels={LABEL: _SLIP})).items
    slips = [slip for one in found if (slip := _slip(one))]
    return sorted(slips, key=lambda slip: (slip.sync, slip.is_receipt))


async def find_synced(client: Client, namespace: str, service: Service) -> str:
    """Return the name of the latest Secret with all that a service needs. RunError where no runner has made one."""
    name = ""
    for slip in await read_slips(client, namespace):
        made = synced_name(service.name, slip.sync)
        if set(service.required_secrets) <= set(slip.secrets.get(made, ())):
            name = made
    if not name:
        raise RunError(
            f"{service.name} needs {', '.join(service.required_secrets)}, and no sync brought that to {namespace}",
            reason=Reason.SECRET_SYNC,
            fault=Fault.PLATFORM,
            remedy=REMEDIES[Reason.SECRET_SYNC],
            subject=service.name,
        )
    return name


def _slip(found: Manifest) -> Slip | None:
    """Read one; what bears the label and is none is passed over."""
    data: Mapping[str, str] = found.get("data") or {}
    sync, name = data.get("sync", ""), found["metadata"]["name"]
    if name == f"conductor-sync-{sync}":
        return Slip(sync=sync, key=data.get("key", ""))
    if name != f"conductor-secrets-{sync}":
        return None
    made = (one.partition(":") for one in data.get("secrets", "").split())
    run = data.get("workflow", "")
    return Slip(
        sync=sync,
        key=data.get("key", ""),
        is_receipt=True,
        workflow=int(run) if run.isdecimal() else 0,
        secrets={secret: tuple(keys.split(",")) for secret, _, keys in made},
        missing=tuple(data.get("missing", "").split()),
    )
