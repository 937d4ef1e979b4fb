"""Manifests as YAML: one stream, one file, or a folder with a file for each object.

Law: nothing that somebody else wrote is lost: a file that was not written here, or a folder with such files in it, is left as it is
unless that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from conductor.cli.output import plain
from conductor.errors import UsageError

MARK = "# Written by `conductor convert`."
"""The first line of every file that is written here."""

Object = Mapping[str, object]
_NO_TEXT = re.compile(r"[-+.\d].*|y|n|yes|no|on|off|true|false|null|~|=|<<", re.IGNORECASE)
"""Text that some reader of YAML takes for something else: kubectl's takes `Y` for true and `1e3` for a number, PyYAML neither."""
_DOCKER_KINDS = ("network", "volume", "container")


class _Dumper(yaml.SafeDumper):
    """Writes everything out: no aliases, and text of several lines as it reads."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- the library's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value and _is_block(value) else "'" if _NO_TEXT.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _is_block(value: str) -> bool:
    """Tell whether YAML can write it as a block: no trailing blanks, no tabs at the beginning of a line, no control characters."""
    return all(line == line.rstrip() and not line.startswith("\t") for line in value.split("\n"))


_Dumper.add_representer(str, _text)


def as_yaml(value: Object) -> str:
    """Write one object."""
    written = yaml.dump(plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return str(written)


def stream(objects: Sequence[Object]) -> str:
    """Write all of them as documents of one stream."""
    return "".join(f"---\n{as_yaml(one)}" for one in objects)


def file_names(objects: Sequence[Object]) -> list[str]:
    """Name a file for each object, so that the order of the names is that of the objects."""
    digits = max(2, len(str(len(objects))))
    return [f"{number:0{digits}}-{_kind_and_name(one)}.yaml" for number, one in enumerate(objects, 1)]


def _kind_and_name(one: Object) -> str:
    metadata = one.get("metadata")
    if isinstance(metadata, Mapping):
        kind, name = str(one["kind"]), str(metadata["name"])
    else:
        kind = next(kind for kind in _DOCKER_KINDS if kind in one)
        name = str(one[kind])
    return re.sub(r"[^A-Za-z0-9.-]+", "-", f"{kind.lower()}-{name}")


def write_file(path: Path, objects: Sequence[Object], *, force: bool) -> list[Path]:
    """Write one file with everything. Raises UsageError where somebody else's is there."""
    if path.exists() and not force and not _is_ours(path):
        raise UsageError(
            f"{path} is there already, and was not written here", remedy="Name another file, or --force."
        )
    return [_write(path, stream(objects))]


def write_folder(folder: Path, objects: Sequence[Object], *, force: bool) -> list[Path]:
    """Write a file for each object, and take away those of an earlier time. Raises UsageError where other files are there."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", remedy="Name a folder, or write one file with --one-file.")
    there = sorted(folder.iterdir()) if folder.exists() else []
    foreign = [path.name for path in there if not _is_ours(path)]
    if foreign and not force:
        message = f"{folder} has files that were not written here: {', '.join(foreign[:3])}"
        raise UsageError(message, remedy="Name an empty folder, or write beside them with --force.")
    names = file_names(objects)
    for path in there:
        if path.name not in names and path.name not in foreign:
            path.unlink()
    return [_write(folder / name, as_yaml(one)) for name, one in zip(names, objects, strict=True)]


def _is_ours(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.readline(len(MARK) + 1).rstrip() == MARK.encode()


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{MARK}\n{text}", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", remedy="Name another place."
        ) from error
    return path
