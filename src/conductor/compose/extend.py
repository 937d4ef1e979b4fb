"""`extends`: a service takes over what another one says, of this file or of another."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Protocol

from conductor.compose.check import undefined
from conductor.compose.findings import Findings, MistakeError
from conductor.compose.interpolate import Variables
from conductor.compose.merge import merge
from conductor.compose.node import Node
from conductor.compose.paths import repository_file
from conductor.compose.reader import Checkout
from conductor.compose.values import text

LONGEST_CHAIN = 30
_PLACE = "services.*"
_Way = tuple[tuple[str, str], ...]


class Files(Protocol):
    """What can read another compose file."""

    checkout: Checkout
    findings: Findings

    def documents(self, file: str, base: str, variables: Variables) -> list[Node]:
        """Read one file, up to its long forms."""
        ...


def extend_services(document: Node, files: Files, variables: Variables) -> Node:
    """Return the document with every `extends` followed."""
    services = document.get("services")
    if services is None or not isinstance(services.value, dict):
        return document
    extension = _Extension(services, files, variables)
    for name in services.value:
        with files.findings.catching():
            extension.extended(name, ())
    return document.with_value({**document.value, "services": services.with_value(extension.all())})


@dataclass(slots=True)
class _Extension:
    """The services of one document, each extended once."""

    services: Node
    files: Files
    variables: Variables
    done: dict[str, Node] = field(default_factory=dict)

    def all(self) -> dict[str, Node]:
        return {name: self.done.get(name, node) for name, node in self.services.items()}

    def extended(self, name: str, way: _Way) -> Node:
        own: Node = self.services.value[name]
        extends = own.get("extends")
        if name in self.done or extends is None:
            return self.done.setdefault(name, own)
        here = (self.services.source.document.file, name)
        self._check_way(extends, here, way)
        merged = merge(self._parent(extends, (*way, here)), own, self.files.findings, _PLACE)
        return self.done.setdefault(name, merged or own)

    def _check_way(self, extends: Node, here: tuple[str, str], way: _Way) -> None:
        if here in way:
            circle = " -> ".join(name for _, name in (*way[way.index(here) :], here))
            raise MistakeError(
                extends, f"services extend each other: {circle}", remedy="Take one `extends` away."
            )
        if len(way) >= LONGEST_CHAIN:
            raise MistakeError(
                extends, f"services extend each other more than {LONGEST_CHAIN} times in a row"
            )

    def _parent(self, extends: Node, way: _Way) -> Node:
        wanted, file = extends.get("service"), extends.get("file")
        if wanted is None:
            raise MistakeError(extends, "`extends` needs a `service`")
        extension = self if file is None else self._other_file(file)
        if text(wanted) not in extension.services.value:
            raise undefined(wanted, text(wanted), "service", extension.services.value)
        return extension.extended(text(wanted), way)

    def _other_file(self, file: Node) -> _Extension:
        path = repository_file(file, self.files.checkout)
        if not self.files.checkout.exists(path):
            remedy = "Check the path, and that the file is committed."
            raise MistakeError(file, f"there is no file {path}", remedy=remedy)
        documents = self.files.documents(path, posixpath.dirname(path) or ".", self.variables)
        for document in documents:
            services = document.get("services")
            if services is not None and isinstance(services.value, dict):
                return _Extension(services, self.files, self.variables)
        raise MistakeError(file, f"{path} has no services")
