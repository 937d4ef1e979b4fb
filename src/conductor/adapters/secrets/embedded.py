"""`EmbeddedSecrets`: values from files outside the repository, then from the environment of this process.

Law: a value is in memory only. It is in no record, no message, no argument, and not in this object's text.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from conductor.adapters.secrets.dotenv import read_env_file
from conductor.domain.masking import Masker
from conductor.domain.names import variable_for
from conductor.domain.states import fault_of
from conductor.domain.verdict import Reason
from conductor.errors import NotFoundError, RefusedError, RunError
from conductor.ports.secrets import Receipt, Wanting

Carries = Callable[[str, Path], Awaitable[bool]]
"""Tells whether a file would come along in a copy of the working tree at a location."""

_LARGEST_FILE_BYTES = 1 << 20
_log = logging.getLogger(__name__)


async def within(location: str, file: Path) -> bool:
    """Tell whether a file lies in a folder: the strictest answer, where nobody can say what the repository ignores."""
    return await asyncio.to_thread(_lies_within, Path(location), file)


class EmbeddedSecrets:
    """The secrets of the runs of this process. `carries` says which files are part of a repository."""

    def __init__(self, *, environment: Mapping[str, str] | None = None, carries: Carries = within) -> None:
        self._environment = os.environ if environment is None else environment
        self._carries = carries
        self._values: dict[str, dict[str, str]] = {}

    async def sync(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> Receipt:
        """Find every value. RunError(SecretMissing) naming all that are missing, and where they were looked for."""
        names = dict.fromkeys(name for keys in consumers.values() for name in keys)
        files = {path: await self._read(wanting, Path(path)) for path in wanting.env_files}
        found = {name: self._find(variable_for(name, wanting.environment), files) for name in names}
        missing = [variable_for(name, wanting.environment) for name, hit in found.items() if hit is None]
        if missing:
            raise _missing(wanting, missing)
        self._values[wanting.id] = {name: hit[0] for name, hit in found.items() if hit}
        return Receipt(keys={name: hit[1] for name, hit in found.items() if hit})

    async def recall(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> None:
        """Find every value again: they are in memory only."""
        await self.sync(wanting, consumers)

    async def abandon(self, wanting: Wanting) -> None:
        """Nothing is ever under way."""

    def value(self, run_id: str, name: str) -> str:
        """Return a value for a container that is being made. KeyError where `sync` has not been called in this process."""
        return self._values[run_id][name]

    def masker(self, run_id: str) -> Masker:
        """Return what hides the values of this run; before `sync` only what looks like a credential."""
        return Masker(self._values.get(run_id, {}).values())

    def __repr__(self) -> str:
        return f"EmbeddedSecrets(runs={sorted(self._values)})"

    def _find(self, variable: str, files: Mapping[str, Mapping[str, str]]) -> tuple[str, str] | None:
        """Return a value and where it was; the last file wins over the first, and files over the environment. Empty is missing."""
        for path, values in reversed(list(files.items())):
            if values.get(variable):
                return values[variable], f"{variable} in file {Path(path).name}"
        if self._environment.get(variable):
            return self._environment[variable], f"environment variable {variable}"
        return None

    async def _read(self, wanting: Wanting, file: Path) -> Mapping[str, str]:
        if await self._carries(wanting.source.location, file):
            raise RefusedError(
                f"reading secrets from {file}: it belongs to the repository, and would be copied with it",
                remedy="Keep the file outside of the repository, or let .gitignore name it.",
            )
        content, mode = await asyncio.to_thread(_content_of, file)
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            _log.warning("others on this machine can read the secrets in %s: chmod 600 it", file)
        return read_env_file(content, file=str(file))


def _lies_within(folder: Path, file: Path) -> bool:
    return folder.is_dir() and file.resolve().is_relative_to(folder.resolve())


def _content_of(file: Path) -> tuple[bytes, int]:
    try:
        mode = file.stat().st_mode
        content = _beginning(file) if stat.S_ISREG(mode) else None
    except OSError as error:
        raise NotFoundError(
            f"reading secrets from {file}: {error.strerror}", remedy="Name an env file."
        ) from None
    if content is None:
        raise NotFoundError(f"reading secrets from {file}: it is no file", remedy="Name an env file.")
    if len(content) > _LARGEST_FILE_BYTES:
        raise RefusedError(f"reading secrets from {file}: it has more than 1 MiB", remedy="Name an env file.")
    return content, mode


def _beginning(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(_LARGEST_FILE_BYTES + 1)


def _missing(wanting: Wanting, variables: Sequence[str]) -> RunError:
    where = ", ".join([*(f"file {path}" for path in wanting.env_files), "the process environment"])
    several = len(variables) > 1
    return RunError(
        f"{'secrets are' if several else 'a secret is'} missing: {', '.join(variables)} (looked in {where})",
        reason=Reason.SECRET_MISSING,
        fault=fault_of(Reason.SECRET_MISSING),
        remedy=f"Set {'them' if several else 'it'} in the environment, or in a file outside of the repository given with --env-file.",
    )
