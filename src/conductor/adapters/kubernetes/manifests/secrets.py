"""Secrets by name: what a consumer's Secret must hold, and how its values reach variables and files.

Kubernetes replaces `$(NAME)` and `$$` in commands and variables, Compose does not: so literal text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from conductor.adapters.kubernetes.manifests.kube_names import kube_name, secret_name
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import SecretText, Service

_HELPER = "CONDUCTOR_SECRET_"


def escaped(text: str) -> str:
    """Escape what Kubernetes would replace.

    >>> escaped("$(date) $HOME $$")
    '$$(date) $HOME $$$'
    """
    return re.sub(r"\$(?=[$(])", "$$", text)


def variables(service: Service) -> Iterator[Manifest]:
    """Yield secrets first: `$(NAME)` sees only what stands before it. What the plan gives wins over the file's value of that name."""
    for key in service.secret_keys:
        yield _from_secret(key, key, service)
    written = {name: value for name, value in service.environment.items() if name not in service.secret_keys}
    texts = [v for v in written.values() if isinstance(v, SecretText) and not is_one_secret(v)]
    yield from parts(service, texts)
    for name, value in written.items():
        yield variable(service, name, value)


def parts(service: Service, texts: list[SecretText]) -> Iterator[Manifest]:
    """Yield a variable for each secret that is put together with other text."""
    for name in dict.fromkeys(name for text in texts for name in text.names):
        yield _from_secret(f"{_HELPER}{name}", name, service)


def variable(service: Service, name: str, value: str | SecretText) -> Manifest:
    """Make one variable; those of `parts` stand before it."""
    if isinstance(value, str):
        return {"name": name, "value": escaped(value)}
    if is_one_secret(value):
        return _from_secret(name, value.names[0], service)
    return {"name": name, "value": _expanded(value)}


def is_one_secret(text: SecretText) -> bool:
    """Tell whether the text is a secret's value and nothing else."""
    return len(text.names) == 1 and not any(text.parts[::2])


def _expanded(text: SecretText) -> str:
    return "".join(escaped(p) if i % 2 == 0 else f"$({_HELPER}{p})" for i, p in enumerate(text.parts))


def _from_secret(name: str, key: str, service: Service) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name(service.name), "key": key}}}


def synced_name(consumer: str, sync: str) -> str:
    """Name the Secret of a consumer that one sync makes: no other sync has that name, so an earlier one is in nobody's way.

    >>> synced_name("my_db", "m3k9")
    'my-db-e0a37f2f-m3k9'
    """
    return f"{kube_name(consumer)}-{sync}"


def taken_from(name: str, manifest: Manifest, service: Service) -> Manifest:
    """Return what a service consists of with its secrets taken from that Secret."""
    usual = secret_name(service.name)

    def changed(part: Any) -> Any:
        if isinstance(part, list):
            return [changed(one) for one in part]
        if not isinstance(part, dict):
            return part
        own = {"secretKeyRef": "name", "secret": "secretName"}
        return {
            key: {**value, own[key]: name}
            if key in own and isinstance(value, dict) and value.get(own[key]) == usual
            else changed(value)
            for key, value in part.items()
        }

    made: Manifest = changed(manifest)
    return made
