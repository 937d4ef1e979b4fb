"""The mark of a namespace: its lease as an annotation, which is the truth of how long it stays."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.seeing.pod_status import moment
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.names import LABEL_RUN

LEASE = "conductor.dev/lease"
ADDRESS = "address.conductor.dev"
"""An annotation for each address that was asked for begins so."""
_LEASE: TypeAdapter[Lease] = TypeAdapter(Lease)


def annotation(lease: Lease) -> dict[str, str]:
    """Write a lease as an annotation."""
    return {LEASE: _LEASE.dump_json(lease).decode()}


def find_lease(namespace: Manifest) -> Lease | None:
    """Read the mark; None where it is missing or unreadable."""
    text = (namespace["metadata"].get("annotations") or {}).get(LEASE)
    try:
        return _LEASE.validate_json(text) if text else None
    except ValidationError:
        return None


def addresses_of(namespace: Manifest) -> tuple[str, ...]:
    """Read the addresses that lead to services of a namespace, in the order of their names."""
    annotations = namespace["metadata"].get("annotations") or {}
    return tuple(sorted(str(url) for key, url in annotations.items() if key.startswith(f"{ADDRESS}/")))


def info(namespace: Manifest, *, workloads: int) -> NamespaceInfo:
    """Tell what a namespace is, as far as its own marks say."""
    metadata = namespace["metadata"]
    return NamespaceInfo(
        name=metadata["name"],
        run=str((metadata.get("labels") or {}).get(LABEL_RUN) or ""),
        lease=find_lease(namespace),
        created_at=moment(metadata.get("creationTimestamp")),
        workloads=workloads,
        addresses=addresses_of(namespace),
    )
