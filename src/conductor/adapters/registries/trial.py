"""What `conductor doctor` does with a registry: a tiny image goes there, is found, is pulled, and goes again."""

from __future__ import annotations

import gzip
import io
import secrets
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from conductor.adapters.registries.distribution import Distribution, sha256
from conductor.adapters.registries.registry_config import Name, RegistryConfig, read_name
from conductor.errors import ConductorError, RefusedError
from conductor.ports.engine import Diagnosis

TRIAL_REPOSITORY = "conductor"
_IMAGE = "doctor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A registry, seen by the account that pushes and by the one that pulls, and what removes an image there."""

    config: RegistryConfig
    own: Distribution
    pulling: Distribution
    remove: Callable[[Name, str], Awaitable[bool]]

    @property
    def path(self) -> str:
        """Where the tiny image goes."""
        return self.config.path(TRIAL_REPOSITORY, _IMAGE)


async def try_registry(trial: Trial) -> list[Diagnosis]:
    """Return a line for each thing tried; the first that fails ends it."""
    reference = trial.config.reference(trial.path, f"doctor-{secrets.token_hex(4)}")
    name = read_name(reference)
    lines: list[Diagnosis] = []
    try:
        await trial.own.check_login()
        lines.append(_well("registry", f"{trial.config.type} at {_place(trial)}, logged in{_as_whom(trial)}"))
        digest = await _push(trial, name, lines)
    except ConductorError as error:
        return [*lines, _ill("registry" if not lines else "registry: push", error)]
    lines += await _pulled(trial, name)
    lines.append(await _removed(trial, name, digest))
    return lines


async def _push(trial: Trial, name: Name, lines: list[Diagnosis]) -> str:
    digest = await trial.own.push(name.path, name.tag, layer=_layer(), config=_config())
    found = await trial.own.digest(name.path, name.tag)
    if found != digest:
        raise RefusedError(
            f"{name.path}:{name.tag} was pushed as {digest} and is found as {found}",
            remedy="See whether a cache stands before the registry.",
        )
    limit = f"; {trial.own.limit}" if trial.own.limit else ""
    lines.append(_well("registry: push", f"{trial.config.reference(name.path)} takes images{limit}"))
    return digest


async def _pulled(trial: Trial, name: Name) -> list[Diagnosis]:
    """Pull as those do who get the account for pulling, and see that they can do no more."""
    pull = trial.config.pull
    who = pull.username if pull else "anybody"
    try:
        found = await trial.pulling.digest(name.path, name.tag)
    except ConductorError as error:
        return [_ill("registry: pull", error, remedy=_REMEDY_OF_PULL)]
    if found is None:
        return [
            Diagnosis(
                subject="registry: pull", ok=False, detail=f"{who} sees no image", remedy=_REMEDY_OF_PULL
            )
        ]
    lines = [_well("registry: pull", f"{who} may pull")]
    asks_who = trial.config.push is not None
    if asks_who and await trial.pulling.may_push(name.path):
        lines.append(
            Diagnosis(
                subject="registry: pull",
                ok=False,
                detail=f"{who} may push too, and namespaces of runs have that account"
                if pull
                else "anybody may push",
                remedy="Name an account in CONDUCTOR_REGISTRY_PULL_USER that may only pull.",
            )
        )
    return lines


async def _removed(trial: Trial, name: Name, digest: str) -> Diagnosis:
    try:
        gone = await trial.remove(name, digest)
    except ConductorError as error:
        return _ill("registry: delete", error)
    if gone:
        return _well("registry: delete", "the test image is gone")
    return Diagnosis(
        subject="registry: delete",
        ok=True,
        detail=f"it deletes nothing: {name.path}:{name.tag} stays",
        remedy="For Debian's and CNCF's registry: REGISTRY_STORAGE_DELETE_ENABLED=true.",
    )


def _layer() -> bytes:
    """Make an archive of nothing."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w"):
        pass
    return gzip.compress(archive.getvalue(), mtime=0)


def _config() -> Mapping[str, object]:
    empty = gzip.decompress(_layer())
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"conductor.dev/kind": "doctor"}},
        "rootfs": {"type": "layers", "diff_ids": [sha256(empty)]},
    }


def _place(trial: Trial) -> str:
    return trial.config.host or "Docker Hub"


def _as_whom(trial: Trial) -> str:
    return f" as {trial.config.push.username}" if trial.config.push else " as anybody"


def _well(subject: str, detail: str) -> Diagnosis:
    return Diagnosis(subject=subject, ok=True, detail=detail)


def _ill(subject: str, error: ConductorError, *, remedy: str = "") -> Diagnosis:
    return Diagnosis(subject=subject, ok=False, detail=error.message, remedy=remedy or error.remedy)


_REMEDY_OF_PULL = "Name an account that may pull in CONDUCTOR_REGISTRY_PULL_USER, with its password, or make the project public."
