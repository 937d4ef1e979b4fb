"""What Conductor has to remember of a namespace and the engine cannot: leases, and what became of a workload that has no container.

Docker's labels cannot change, so these are files in the state folder: `leases/<namespace>.json`, `workloads/<namespace>/<workload>.json`.
Law: a file is there whole or not at all; every process that shares the state folder sees the same.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from conductor.domain.lease import Lease
from conductor.domain.verdict import Fault, Reason
from conductor.errors import StateError


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a workload has no running container: what its state will say."""

    reason: Reason
    fault: Fault
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What is known of a workload beside its container."""

    workload: str
    created: bool = False
    """There was a container: when it is missing, somebody removed it."""
    hooked: bool = False
    """What its service asks for after the start was done."""
    asleep: bool = False
    stopped: bool = False
    """Conductor ended it: exit code 137 is no lack of memory then."""
    failure: Failure | None = None


_LEASE: TypeAdapter[Lease] = TypeAdapter(Lease)
_NOTE: TypeAdapter[Note] = TypeAdapter(Note)


class Marks:
    """The marks of one state folder."""

    def __init__(self, state_folder: Path) -> None:
        self._leases = state_folder / "leases"
        self._workloads = state_folder / "workloads"
        self._files = state_folder / "files"

    def write_lease(self, lease: Lease) -> None:
        """Write or renew the mark of a namespace."""
        _write(self._lease_file(lease.namespace), _LEASE.dump_json(lease, indent=1))

    def find_lease(self, namespace: str) -> Lease | None:
        """Return the mark, or None where it is missing or unreadable."""
        try:
            return _LEASE.validate_json(self._lease_file(namespace).read_bytes())
        except (OSError, ValidationError):
            return None

    def leased(self) -> tuple[str, ...]:
        """Name every namespace that has a mark."""
        return tuple(sorted(file.stem for file in _json_files(self._leases)))

    def write_note(self, namespace: str, note: Note) -> None:
        """Remember this of a workload, in place of what was remembered."""
        _write(self._workloads / namespace / f"{note.workload}.json", _NOTE.dump_json(note))

    def note(self, namespace: str, workload: str) -> Note:
        """Return what is remembered of a workload; an empty note where nothing is."""
        return self.notes(namespace).get(workload) or Note(workload=workload)

    def notes(self, namespace: str) -> Mapping[str, Note]:
        """Return all notes of a namespace by workload."""
        found: dict[str, Note] = {}
        for file in _json_files(self._workloads / namespace):
            try:
                note = _NOTE.validate_json(file.read_bytes())
            except (OSError, ValidationError):
                continue
            found[note.workload] = note
        return found

    def files(self, namespace: str) -> Path:
        """Return the private folder of files that containers of this namespace mount."""
        return self._files / namespace

    def forget(self, namespace: str) -> bool:
        """Remove all that is remembered of a namespace; tell whether there was a mark."""
        shutil.rmtree(self._workloads / namespace, ignore_errors=True)
        shutil.rmtree(self._files / namespace, ignore_errors=True)
        lease = self._lease_file(namespace)
        there = lease.exists()
        lease.unlink(missing_ok=True)
        return there

    def _lease_file(self, namespace: str) -> Path:
        return self._leases / f"{namespace}.json"


def _json_files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.json")) if folder.is_dir() else ()


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, replacement = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(replacement).replace(file)
    except OSError as error:
        raise StateError(
            f"cannot write {file}: {error.strerror}",
            remedy="Free space in the state folder, and see that it is yours.",
        ) from None
