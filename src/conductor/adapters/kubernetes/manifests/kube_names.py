"""Names that Kubernetes takes, for names that Compose takes: stable, and never the same for two different ones."""

from __future__ import annotations

import hashlib
import re

from conductor.domain.names import slug

_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HASHED = re.compile(r"-[0-9a-f]{8}")


def is_dns_name(name: str) -> bool:
    """Tell whether neighbours can find a Service of this name; DNS does not see upper case."""
    return bool(_LABEL.fullmatch(name.lower()))


def kube_name(name: str, *, length: int = 50) -> str:
    """Return the name of an object: itself where Kubernetes takes it, else a slug with a hash of it.

    A name that looks as if it had been made here is hashed too, so that no two are ever the same. `length` leaves room for the
    suffixes that Kubernetes adds to the names of pods.

    >>> kube_name("redis"), kube_name("my_db")
    ('redis', 'my-db-e0a37f2f')
    """
    if _LABEL.fullmatch(name) and len(name) <= length and not _HASHED.fullmatch(name[-9:]):
        return name
    return f"{slug(name, length=length - 9)}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def secret_name(workload: str) -> str:
    """Name the Secret that holds exactly the keys of one consumer."""
    return f"{kube_name(workload)}-secrets"


def config_name(workload: str) -> str:
    """Name the ConfigMap that holds the files of one consumer."""
    return f"{kube_name(workload)}-files"
