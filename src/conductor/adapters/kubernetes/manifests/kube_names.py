"""Names that Kubernetes takes, for names that Compose takes: stable, and never the same for two different ones."""

from __future__ import annotations

import hashlib
import re

from conductor.domain.names import slug

_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_HASHED = re.compile(r"-[0-9a-f]{8}")
_LONGEST_HOST = 253


def is_dns_name(name: str) -> bool:
    """Tell whether a Service may bear this name (RFC 1035 label); DNS does not see upper case."""
    return bool(_LABEL.fullmatch(name.lower()))


def is_host_name(name: str) -> bool:
    """Tell whether Kubernetes writes this name into a pod's hosts file (RFC 1123 subdomain)."""
    return bool(_HOST.fullmatch(name)) and len(name) <= _LONGEST_HOST


def kube_name(name: str, *, length: int = 50) -> str:
    """Return the name of an object: itself where Kubernetes takes it, else a slug with a hash of it.

    A name that looks as if it had been made here is hashed too, so that no two are ever the same. `length` leaves room for the
    suffixes that Kubernetes adds to the names of pods.

    >>> kube_name("redis"), kube_name("my_db")
    ('redis', 'my-db-e0a37f2f')
    """
    if _LABEL.fullmatch(name) and len(name) <= length and not _HASHED.fullmatch(name[-9:]):
        return name
    return f"{slug(name, length=length - 9)}-{_hash(name)}"


def label_value(text: str) -> str:
    """Return a label's value: the text itself where Kubernetes takes it, else a slug with a hash of it; 63 characters at most.

    >>> label_value("12-Fix_it"), label_value("feature/login")
    ('12-Fix_it', 'feature-login-df7c7aeb')
    """
    if _VALUE.fullmatch(text):
        return text
    return f"{slug(text, length=54)}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def secret_name(workload: str) -> str:
    """Name the Secret that holds exactly the keys of one consumer."""
    return f"{kube_name(workload)}-secrets"


def config_name(workload: str, number: int) -> str:
    """Name the ConfigMap with what a consumer's mount of this number shows."""
    return f"{kube_name(workload)}-files-{number}"
