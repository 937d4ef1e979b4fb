"""What images are built from and pushed to in tests on a real cluster: registries, a git server, Kaniko. Nothing of it is set up here.

| variable | what it names |
|---|---|
| `CONDUCTOR_TEST_KANIKO_IMAGE` | Kaniko's executor, on the cluster's nodes |
| `CONDUCTOR_TEST_REGISTRY` | `http://USER:PASSWORD@HOST:PORT`: a registry with a password, where everybody who has it may push everywhere |
| `CONDUCTOR_TEST_TOKEN_REGISTRY` | the same of a registry with a token server; the user may do everything |
| `CONDUCTOR_TEST_TOKEN_SERVER` | that server: `/robots`, of `{"name", "access": {"REPOSITORY": ["pull", "push"]}}` |
| `CONDUCTOR_TEST_GIT` | `http://USER:TOKEN@HOST:PORT`: a git server that makes a repository with the first push to it |
| `CONDUCTOR_TEST_DEBIAN_MIRROR` | `http://HOST/debian`, for builds that install packages; `http://HOST/debian-security` is beside it |

Each address is the same for this machine, for pods, and for the nodes. Both registries have `library/node:22-alpine`,
`library/nginx:1.27-alpine`, `library/busybox:1.36` and `library/debian:trixie-slim`, and delete what they are asked to delete; the one
with tokens lets anybody pull them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx2
import pytest

KANIKO = os.environ.get("CONDUCTOR_TEST_KANIKO_IMAGE", "")
NO_PEER = "no peer to test with: name it in "
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
PATIENCE_SECONDS = 30.0
GIT = ("git", "-c", "user.name=Example", "-c", "user.email=example@example.org", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server, and who asks it."""

    url: str
    user: str
    password: str = field(repr=False)

    @property
    def host(self) -> str:
        """`HOST:PORT`, as images are named after it."""
        return urlsplit(self.url).netloc


def peer(variable: str) -> Peer:
    """Return the server that a variable names; skip the test where it is unset."""
    if not (named := os.environ.get(variable, "")):
        pytest.skip(NO_PEER + variable)
    parts = urlsplit(named)
    url = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    return Peer(url=url, user=parts.username or "", password=parts.password or "")


def kaniko_image() -> str:
    """Return the name of Kaniko's image; skip the test where it is unset."""
    if not KANIKO:
        pytest.skip(NO_PEER + "CONDUCTOR_TEST_KANIKO_IMAGE")
    return KANIKO


class RegistryPeer:
    """A registry, asked over its own API: what is there is what is there."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._client = httpx2.Client(base_url=peer.url, timeout=PATIENCE_SECONDS)

    @property
    def host(self) -> str:
        return self.peer.host

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest under a tag or a digest; None where there is nothing."""
        answer = self._ask("HEAD", repository, f"manifests/{reference}", Accept=MANIFESTS)
        return answer.headers["Docker-Content-Digest"] if answer.status_code == httpx2.codes.OK else None

    def tags(self, repository: str) -> Sequence[str]:
        answer = self._ask("GET", repository, "tags/list")
        return sorted(answer.json().get("tags") or []) if answer.status_code == httpx2.codes.OK else []

    def labels(self, repository: str, reference: str) -> Mapping[str, str]:
        manifest = self._ask("GET", repository, f"manifests/{reference}", Accept=MANIFESTS).json()
        answer = self._ask("GET", repository, f"blobs/{manifest['config']['digest']}")
        labels: dict[str, str] = answer.json()["config"].get("Labels") or {}
        return labels

    def copy(self, repository: str, reference: str, *, tag: str) -> str:
        """Give what is there another tag; return its digest."""
        manifest = self._ask("GET", repository, f"manifests/{reference}", Accept=MANIFESTS)
        assert manifest.status_code == httpx2.codes.OK, manifest.text
        put = self._ask(
            "PUT",
            repository,
            f"manifests/{tag}",
            content=manifest.content,
            content_type=manifest.headers["Content-Type"],
        )
        assert put.status_code == httpx2.codes.CREATED, put.text
        return str(put.headers["Docker-Content-Digest"])

    def empty(self, repository: str) -> None:
        """Delete whatever is tagged in a repository."""
        for digest in {self.digest(repository, tag) for tag in self.tags(repository)} - {None}:
            self._ask("DELETE", repository, f"manifests/{digest}")

    def close(self) -> None:
        self._client.close()

    def _ask(
        self,
        method: str,
        repository: str,
        what: str,
        *,
        content: bytes | None = None,
        content_type: str = "",
        **headers: str,
    ) -> httpx2.Response:
        path = f"/v2/{repository}/{what}"
        if content_type:
            headers["Content-Type"] = content_type
        answer = self._client.request(method, path, content=content, headers=headers, auth=self._basic)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == httpx2.codes.UNAUTHORIZED and challenge.startswith("Bearer "):
            headers["Authorization"] = f"Bearer {self._token(challenge, repository)}"
            answer = self._client.request(method, path, content=content, headers=headers)
        return answer

    @property
    def _basic(self) -> tuple[str, str]:
        return (self.peer.user, self.peer.password)

    def _token(self, challenge: str, repository: str) -> str:
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        asked = {"service": told["service"], "scope": f"repository:{repository}:pull,push,delete"}
        answer = httpx2.get(told["realm"], params=asked, auth=self._basic, timeout=PATIENCE_SECONDS)
        return str(answer.raise_for_status().json()["token"])


class Robots:
    """The accounts of a token server: each may what it was made for."""

    def __init__(self, peer: Peer) -> None:
        self._client = httpx2.Client(
            base_url=peer.url, auth=(peer.user, peer.password), timeout=PATIENCE_SECONDS
        )

    def make(self, name: str, access: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        """Make one anew; return its user name and its password."""
        self.remove(name)
        answer = self._client.post("/robots", json={"name": name, "access": access, "expires_in": 3600})
        made = answer.raise_for_status().json()
        return made["name"], made["secret"]

    def remove(self, name: str) -> None:
        """Remove one; that it is gone is no error."""
        answer = self._client.delete(f"/robots/{quote('robot$' + name)}")
        assert answer.status_code in {httpx2.codes.NO_CONTENT, httpx2.codes.NOT_FOUND}, answer.text

    def of(self, path: str) -> Sequence[str]:
        """Return the user names of those that may do something below a path."""
        known: dict[str, dict[str, Sequence[str]]] = self._client.get("/robots").raise_for_status().json()
        return sorted(name for name, access in known.items() if any(one.startswith(path) for one in access))

    def close(self) -> None:
        self._client.close()


class GitPeer:
    """A git server."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def url(self, repository: str) -> str:
        """Return a repository's address, without who asks."""
        return f"{self.peer.url}/{repository}.git"

    def push(self, folder: Path, repository: str) -> str:
        """Commit all that is in a folder, push it to `main`, and return the commit."""
        if not (folder / ".git").exists():
            self._git(folder, "init", "--quiet", "--initial-branch=main")
        self._git(folder, "add", "--all")
        self._git(folder, "commit", "--quiet", "--allow-empty", "--message", "As the test has it")
        parts = urlsplit(self.url(repository))
        named = f"{parts.scheme}://{self.peer.user}:{self.peer.password}@{parts.netloc}{parts.path}"
        self._git(folder, "push", "--quiet", "--force", named, "HEAD:refs/heads/main")
        return self._git(folder, "rev-parse", "HEAD").strip()

    @staticmethod
    def _git(folder: Path, *arguments: str) -> str:
        command = [*GIT, "-c", "credential.helper=", *arguments]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert made.returncode == 0, made.stderr
        return made.stdout


def unique(name: str) -> str:
    """Return a repository that no other test session has: `conductor-test/<name>-<hex>`."""
    return f"conductor-test/{name}-{uuid4().hex[:8]}"


@pytest.fixture
def registry() -> Iterator[RegistryPeer]:
    """The registry where whoever has the password may push everywhere."""
    made = RegistryPeer(peer("CONDUCTOR_TEST_REGISTRY"))
    yield made
    made.close()


@pytest.fixture
def token_registry() -> Iterator[RegistryPeer]:
    """The registry where an account may push where it was made for."""
    made = RegistryPeer(peer("CONDUCTOR_TEST_TOKEN_REGISTRY"))
    yield made
    made.close()


@pytest.fixture
def robots() -> Iterator[Robots]:
    made = Robots(peer("CONDUCTOR_TEST_TOKEN_SERVER"))
    yield made
    made.close()


@pytest.fixture
def git_server() -> GitPeer:
    return GitPeer(peer("CONDUCTOR_TEST_GIT"))


@pytest.fixture
def debian_mirror() -> str:
    return peer("CONDUCTOR_TEST_DEBIAN_MIRROR").url + "/debian"
