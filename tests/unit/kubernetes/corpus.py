"""Compose files that others wrote, each in a checkout with the files that it names: the corpus has compose files only."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout
from conductor.errors import Problem

ROUNDS = 40
_MISSING_FILE = re.compile(
    r"there is no (?:Dockerfile|file) (\S+)|(\S+) cannot be read: there is no such file"
)
_MISSING_FOLDER = re.compile(r"there is no folder (\S+) to build from")
_UNSET = re.compile(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One file of the corpus. `category` is `real-app`, `qa-test` or `fixture`."""

    name: str
    category: str
    checkout: Path
    loaded: Loaded


def samples(folder: Path) -> Iterator[Sample]:
    """Load every file of the corpus; skips the test where that is not here."""
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the corpus of real compose files is not here")
    with (Path(root) / "compose" / "manifest.tsv").open() as rows:
        for number, row in enumerate(csv.DictReader(rows, delimiter="\t")):
            here = folder / str(number)
            here.mkdir()
            (here / "compose.yaml").write_bytes((Path(root) / "compose" / row["file"]).read_bytes())
            yield Sample(name=row["file"], category=row["category"], checkout=here, loaded=_load(here))


def _load(here: Path) -> Loaded:
    """Load it, making what it misses until it misses nothing more."""
    names = set(_UNSET.findall((here / "compose.yaml").read_text(errors="replace")))
    variables = dict.fromkeys(sorted(names), "1024")
    for _ in range(ROUNDS):
        loaded = examine(Checkout(here), ["compose.yaml"], name="s", profiles=["*"])
        if loaded.problems and any("required" in problem.message for problem in loaded.problems):
            loaded = examine(Checkout(here), ["compose.yaml"], name="s", profiles=["*"], variables=variables)
        if sum(_make(here, problem) for problem in loaded.problems) == 0:
            return loaded
    return loaded


def _make(here: Path, problem: Problem) -> bool:
    """Make the file or folder that a problem is about; tell whether that may help."""
    file, folder = _MISSING_FILE.match(problem.message), _MISSING_FOLDER.match(problem.message)
    found = folder[1] if folder else (file[1] or file[2]) if file else None
    if (
        found is None
        or (here / found).exists()
        or not (here / found).resolve().is_relative_to(here.resolve())
    ):
        return False
    path = here / found
    (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
    if not folder:
        path.write_text("FROM scratch\n" if "Dockerfile" in path.name else "")
    return True
