"""The account: every key of every document that was read, and what became of it.

Law: a key is converted or refused; there is no third way, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from conductor.compose.findings import Findings
from conductor.compose.node import Source, dotted
from conductor.compose.schema import is_extension
from conductor.documents.document import Path, Tagged
from conductor.domain.account import Entry, Treatment

_EXTENSION = "an extension: Compose ignores it"


def account(sources: Sequence[Source], findings: Findings, *, aside: frozenset[str]) -> tuple[Entry, ...]:
    """Make the account. `aside` names the services that take no part in this run."""
    return tuple(entry for source in sources for entry in _Teller(source, findings, aside).entries())


class _Teller:
    """Walks one document."""

    def __init__(self, source: Source, findings: Findings, aside: frozenset[str]) -> None:
        self.source, self.findings, self.aside = source, findings, aside

    def entries(self) -> Iterator[Entry]:
        yield from self._below(self.source.document.data, (), None, "")

    def _below(self, data: Any, path: Path, refused: tuple[str, str] | None, note: str) -> Iterator[Entry]:
        data = data.value if isinstance(data, Tagged) else data
        if isinstance(data, dict):
            for key, value in data.items():
                yield from self._told(value, (*path, key), refused, note)
        if isinstance(data, list):
            for at, item in enumerate(data):
                yield from self._item(item, (*path, at), refused, note)

    def _told(self, value: Any, path: Path, refused: tuple[str, str] | None, note: str) -> Iterator[Entry]:
        refused = refused or self.findings.refused.get((self.source, path))
        note = self._note(path) or note
        yield self._entry(path, refused, note)
        yield from self._below(value, path, refused, note)

    def _item(self, item: Any, path: Path, refused: tuple[str, str] | None, note: str) -> Iterator[Entry]:
        """Tell of an item of a list only where there is something to say of it, or keys in it."""
        own_refusal = self.findings.refused.get((self.source, path))
        own_note = self._note(path)
        if own_refusal or own_note:
            yield self._entry(path, refused or own_refusal, own_note or note)
        yield from self._below(item, path, refused or own_refusal, own_note or note)

    def _note(self, path: Path) -> str:
        found = self.findings.notes.get((self.source, path), "")
        if len(path) == len(("services", "name")) and path[0] == "services" and path[1] in self.aside:
            return "its profile is not enabled: it takes no part in this run"
        return _EXTENSION if not found and is_extension(str(path[-1])) else found

    def _entry(self, path: Path, refused: tuple[str, str] | None, note: str) -> Entry:
        line = self.source.document.mark(path, key=True).line
        why, instead = refused or ("", "")
        return Entry(
            file=self.source.document.file,
            line=line,
            path=dotted(path),
            treatment=Treatment.REFUSED if refused else Treatment.CONVERTED,
            why=why,
            instead=instead,
            note="" if refused else note,
        )
