"""What a key of a compose file does on an engine, found out by converting a sample with it and without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor.cli.output import plain
from conductor.compose.samples import ODD, SAMPLES, VARIABLES, compose_file
from conductor.operations.convert import Conversion, ConvertRequest, convert
from conductor.ports.engine import Renderer

_MOST_FIELDS = 3
_POD = ("spec", "template", "spec")
_DOCKER_KINDS = ("network", "volume", "container")

Leaf = tuple[tuple[str, ...], object]
"""A path in an object, and the value there."""


@dataclass(frozen=True, slots=True)
class Effect:
    """`fields` are those of the engine's objects that differ; `stack` tells whether Conductor itself sees a difference."""

    fields: tuple[str, ...]
    stack: bool
    refused: tuple[str, ...] = ()


class Effects:
    """Converts samples in a folder that has the files which they name."""

    def __init__(self, folder: Path, engines: Sequence[Renderer]) -> None:
        self._folder, self._engines = folder, engines

    def of(self, place: str, engine: str) -> Effect:
        """Find out what a key does on an engine."""
        with_it, without_it = (self._converted(sample, engine) for sample in SAMPLES[place])
        if with_it.refused:
            return Effect((), stack=True, refused=tuple(_reasons(with_it)))
        return Effect(tuple(_fields(with_it, without_it)), stack=with_it.stack != without_it.stack)

    def odd(self, place: str, engine: str) -> Iterator[tuple[str, str]]:
        """Yield values of a key that this engine refuses, each with the reason."""
        for sample in ODD.get(place, ()):
            for reason in _reasons(self._converted(sample, engine)):
                yield sample.partition("\n")[0], reason

    def _converted(self, sample: str, engine: str) -> Conversion:
        (self._folder / "compose.yaml").write_text(compose_file(sample), encoding="utf-8")
        asked = ConvertRequest(
            folder=self._folder,
            files=("compose.yaml",),
            profiles=("p",),
            variables=VARIABLES,
            namespace="stack",
        )
        made = convert(asked, engine=engine, engines=self._engines)
        assert not made.mistakes, (sample, made.mistakes)  # noqa: S101 -- samples are right
        return made


def _reasons(made: Conversion) -> Iterator[str]:
    for problem in made.refused:
        why = problem.message.partition(": ")[2]
        yield f"{why.rstrip('.')}. {problem.remedy}"


def _fields(with_it: Conversion, without_it: Conversion) -> Iterator[str]:
    """Yield the fields that differ, in words of the engine's own interface; the fewest that tell."""
    before, after = _objects(without_it), _objects(with_it)
    new = sorted({kind for kind, name in after if (kind, name) not in before})
    gone = sorted({kind for kind, name in before if (kind, name) not in after})
    if new and gone and new != gone:
        yield f"{', '.join(new)} in place of {', '.join(gone)}"
        return
    if new:
        yield from new
    changed: dict[str, None] = {}
    for key in after:
        for path in _changed(before.get(key), after[key]) if key in before else ():
            changed.setdefault(_shown(key[0], path))
    fields = sorted(changed, key=lambda field: (field.startswith("initContainers"), field.count("."), field))
    yield from fields[:_MOST_FIELDS]
    if len(fields) > _MOST_FIELDS:
        yield "…"


def _objects(made: Conversion) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {_key(one): one for one in plain(made.objects)}


def _key(one: Mapping[str, Any]) -> tuple[str, str]:
    if "kind" in one:
        return str(one["kind"]), str(one["metadata"]["name"])
    kind = next(kind for kind in _DOCKER_KINDS if kind in one)
    return kind, str(one[kind])


def _changed(before: Any, after: Any) -> Iterator[tuple[str, ...]]:
    old, new = set(_leaves(before, ())), set(_leaves(after, ()))
    yield from sorted({path for path, _ in old ^ new})


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Leaf]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, str(key)))
    elif isinstance(value, list) and value:
        for below in value:
            yield from _leaves(below, (*path[:-1], f"{path[-1]}[]"))
    else:
        yield path, repr(value)


def _shown(kind: str, path: tuple[str, ...]) -> str:
    if path[:1] == ("config",):
        return ".".join(path[1:])
    if path[:3] == _POD:
        return ".".join(path[3:])
    return f"{kind}: {'.'.join(path)}"
