"""The account: every key of every document that was read, and what became of it, on each engine.

Law: a key is converted or refused; there is no third way, and none is left out. What an engine refuses of the `Stack` is told at the
key that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor.compose.findings import Findings, Place
from conductor.compose.node import Node, Source, dotted
from conductor.compose.origins import Origins
from conductor.compose.schema import is_extension
from conductor.compose.unsupported import COMPOSE_IGNORES_IT
from conductor.documents.document import Document, Path, Tagged
from conductor.domain.account import EngineRefusal, Entry, Treatment

EXTENSION = "an extension: Compose ignores it"
_ASIDE = "its profile is not enabled: it takes no part in this run"
_SERVICE_PATH = ("services", "name")
_REPLACED = "replaced by "


class Ledger:
    """All that is known of one project's keys. `aside` names the services that take no part in this run."""

    def __init__(
        self, sources: Sequence[Source], findings: Findings, project: Node | None, *, aside: frozenset[str]
    ) -> None:
        self.sources, self.findings, self.project, self.aside = sources, findings, project, aside
        self._origins = Origins(project, findings)

    def account(self, engines: Mapping[str, Sequence[Entry]] | None = None) -> tuple[Entry, ...]:
        """Tell of every key, once. `engines` is what each engine refuses of the stack, by the paths of the stack."""
        known = _Known(self._refused(), self.findings.notes, self._by_place(engines or {}), self.aside)
        return _once(entry for source in self.sources for entry in _Teller(source, known).entries())

    def where(self, path: str) -> tuple[Document, Path] | None:
        """Return where a path of the stack was written; None where no file asked for it."""
        node = self._origins.find(path)
        return (node.source.document, node.path) if node is not None else None

    def _refused(self) -> dict[Place, tuple[str, str]]:
        """Return what is refused everywhere; what an attribute was laid on is refused with it, but no other service is."""
        made = dict(self.findings.refused)
        for place, why in self.findings.refused.items():
            if len(place[1]) > len(_SERVICE_PATH):
                for joined in self._origins.joined(place):
                    made.setdefault(joined, why)
        return made

    def _by_place(self, engines: Mapping[str, Sequence[Entry]]) -> dict[Place, tuple[EngineRefusal, ...]]:
        made: dict[Place, tuple[EngineRefusal, ...]] = {}
        for engine, refused in engines.items():
            for entry in refused:
                refusal = EngineRefusal(engine=engine, why=entry.why, instead=entry.instead)
                for place in self._origins.places(entry.path):
                    made[place] = (*made.get(place, ()), refusal)
        return made


def is_as_compose(note: str) -> bool:
    """Tell whether a note says only what Compose does too: then nobody has to know it."""
    return note in (EXTENSION, *COMPOSE_IGNORES_IT) or note.startswith(_REPLACED)


def _once(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Join what is told of a key that was read several times (an included file, an anchor's alias): refused wins."""
    made: dict[tuple[str, int, int, str], Entry] = {}
    for entry in entries:
        key = (entry.file, entry.line, entry.column, entry.path)
        first = made.setdefault(key, entry)
        if first is not entry and entry.treatment is Treatment.REFUSED:
            made[key] = entry
    return tuple(made.values())


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of a key and of all that is below it."""

    refused: tuple[str, str] | None = None
    note: str = ""
    engines: tuple[EngineRefusal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known by place."""

    refused: Mapping[Place, tuple[str, str]]
    notes: Mapping[Place, str]
    engines: Mapping[Place, tuple[EngineRefusal, ...]]
    aside: frozenset[str]


class _Teller:
    """Walks one document."""

    def __init__(self, source: Source, known: _Known) -> None:
        self.source, self.known = source, known

    def entries(self) -> Iterator[Entry]:
        yield from self._below(self.source.document.data, (), _Told())

    def _below(self, data: Any, path: Path, above: _Told) -> Iterator[Entry]:
        data = data.value if isinstance(data, Tagged) else data
        if isinstance(data, dict):
            for key, value in data.items():
                own = (*path, key)
                told = self._told(own, above)
                yield self._entry(own, told)
                yield from self._below(value, own, told)
        elif isinstance(data, list):
            for at, item in enumerate(data):
                yield from self._item(item, (*path, at), above)

    def _item(self, item: Any, path: Path, above: _Told) -> Iterator[Entry]:
        """Tell of an item of a list only where there is something to say of it, or keys in it."""
        told = self._told(path, above)
        if told is not above:
            yield self._entry(path, told)
        yield from self._below(item, path, told)

    def _told(self, path: Path, above: _Told) -> _Told:
        place = (self.source, path)
        refused = above.refused or self.known.refused.get(place)
        note = self._note(path) or above.note
        own = self.known.engines.get(place, ())
        engines = (
            (*above.engines, *(one for one in own if one not in above.engines)) if own else above.engines
        )
        if (refused, note, engines) == (above.refused, above.note, above.engines):
            return above
        return _Told(refused, note, engines)

    def _note(self, path: Path) -> str:
        if len(path) == len(_SERVICE_PATH) and path[0] == _SERVICE_PATH[0] and path[1] in self.known.aside:
            return _ASIDE
        found = self.known.notes.get((self.source, path), "")
        return EXTENSION if not found and is_extension(str(path[-1])) else found

    def _entry(self, path: Path, told: _Told) -> Entry:
        mark = self.source.document.mark(path, key=True)
        why, instead = told.refused or ("", "")
        return Entry(
            file=self.source.document.file,
            line=mark.line,
            column=mark.column,
            path=dotted(path),
            treatment=Treatment.REFUSED if told.refused else Treatment.CONVERTED,
            why=why,
            instead=instead,
            note="" if told.refused else told.note,
            refused_by=() if told.refused else told.engines,
        )
