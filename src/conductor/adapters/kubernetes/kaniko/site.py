"""What an installation decides for builds on its cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network

from conductor.errors import UsageError

IMAGE = "ghcr.io/osscontainertools/kaniko:v1.28.3"
"""The living fork of Kaniko; Google's own was archived in June 2025. Name one by digest where that matters."""
_PORT = re.compile(r"(?P<network>[0-9a-fA-F.:]+/\d+)(?::(?P<port>\d{1,5}))?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class GitAccess:
    """How the cluster fetches commits by itself. Whatever the Dockerfile runs can read the token: it is for that repository alone."""

    host: str = ""
    """`HOST[:PORT]` that the token is sent to, and no other."""
    username: str = "x-access-token"
    token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Something that builds reach besides the Internet: a network, one port of it, or a namespace of the cluster."""

    network: str = ""
    port: int = 0
    namespace: str = ""


def read_reach(text: str) -> Reach:
    """Read `CIDR`, `CIDR:PORT` or the name of a namespace. Raises ValueError.

    >>> read_reach("192.0.2.7/32:5000").port, read_reach("harbor").namespace
    (5000, 'harbor')
    """
    if found := _PORT.fullmatch(text):
        return Reach(network=str(ip_network(found["network"])), port=int(found["port"] or 0))
    if _NAMESPACE.fullmatch(text):
        return Reach(namespace=text)
    raise ValueError(f"{text!r} is no network, network:port or namespace")


def read_pulls(text: str) -> Mapping[str, object]:
    """Read the `auths` of a Docker configuration file. Raises UsageError, which does not show it."""
    try:
        found = json.loads(text)["auths"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(
            "CONDUCTOR_BUILD_PULLS_FILE names no Docker configuration file with `auths`",
            remedy="`docker login` writes one, unless a credential store keeps it.",
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class KanikoSite:
    """How images are built. Everything has a default that works where the registry is one of the Internet."""

    namespace: str = ""
    """Where builds run; empty for `conductor-builds-<instance>`."""
    image: str = IMAGE
    limits: Mapping[str, str] = field(default_factory=lambda: {"memory": "4Gi"})
    requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "250m", "memory": "256Mi"})
    time_limit: timedelta = timedelta(minutes=30)
    """For one build, from the start of its pod."""
    at_once: int = 4
    """So many builds of this process run at the same time; others wait."""
    mirrors: tuple[str, ...] = ()
    """`HOST[/PATH]` that images of Docker Hub are taken from first."""
    registry_map: Mapping[str, str] = field(default_factory=dict)
    """For other registries: `HOST` -> `HOST[/PATH]` that is asked in its stead."""
    insecure: tuple[str, ...] = ()
    """`HOST[:PORT]` of registries that speak plain HTTP."""
    unverified: tuple[str, ...] = ()
    """`HOST[:PORT]` of registries whose certificates nobody checks."""
    ca: str = field(default="", repr=False)
    """Certificates (PEM) of authorities that registries and git servers are trusted by, besides the public ones."""
    git: GitAccess | None = field(default_factory=GitAccess)
    """None where the cluster fetches nothing: every context is sent from Conductor's own checkout."""
    pulls: Mapping[str, object] = field(default_factory=dict, repr=False)
    """`auths` of a Docker configuration file: who may pull base images. Whatever the Dockerfile runs can read them."""
    reaches: tuple[Reach, ...] = ()
    """What builds reach besides the Internet, such as a registry at a private address."""
    keep: timedelta = timedelta(hours=1)
    """So long a Job that failed stays to be looked at."""
