"""Files become one project: read, checked, interpolated, extended, included and merged.

Law: every document that was read is in `sources`, so that the account can speak of each of its keys. Reading always ends: there are
limits to how deep files name each other and how many there are.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conductor.compose.check import known_keys
from conductor.compose.dotenv import parse_dotenv, parse_raw
from conductor.compose.extend import extend_services
from conductor.compose.findings import Findings, MistakeError
from conductor.compose.interpolate import Variables, interpolate
from conductor.compose.merge import merge
from conductor.compose.node import Node, Source, Text, graft, is_same
from conductor.compose.normalise import normalise
from conductor.compose.paths import repository_file
from conductor.compose.reader import Checkout
from conductor.compose.template import Budget, Substitution
from conductor.compose.values import sequence
from conductor.documents.document import read_documents
from conductor.errors import ConfigurationError, Problem, RefusedError, UsageError

MOST_FILES = 100
MOST_SERVICES = 500
DEEPEST_INCLUDE = 10
SECTIONS = ("services", "networks", "volumes", "configs", "secrets", "models")
_NOTHING = "/dev/null"
"""An env file with nothing in it, on every machine."""
_TAGS = ("!reset", "!override")


@dataclass(slots=True)
class Loading:
    """One loading of one project, from its files to its merged tree."""

    checkout: Checkout
    findings: Findings
    budget: Budget = field(default_factory=Budget)
    sources: list[Source] = field(default_factory=list)
    done: dict[tuple[str, str, Variables], list[Node]] = field(default_factory=dict)

    def project(
        self, files: Sequence[str], base: str, variables: Variables, *, depth: int = 0
    ) -> Node | None:
        """Load files that lie over each other. None where nothing could be read."""
        merged: Node | None = None
        for file in files:
            for document in self.documents(file, base, variables):
                extended = extend_services(document, self, variables)
                own = self._with_includes(extended, variables, depth)
                merged = merge(merged, own, self.findings)
        return merged

    def documents(self, file: str, base: str, variables: Variables) -> list[Node]:
        """Read one file, up to its long forms; the same file is read once."""
        key = (file, base, variables)
        if key not in self.done:
            grafted = [graft(source.document.data, source) for source in self._read(file, base)]
            self.done[key] = [self._long_form(node, variables) for node in grafted]
        return self.done[key]

    def _long_form(self, node: Node, variables: Variables) -> Node:
        substitution = Substitution(variables.seen_from(node.source.base).find, self.budget)
        return normalise(interpolate(known_keys(node, self.findings), substitution, self.findings))

    def _read(self, file: str, base: str) -> list[Source]:
        if len(self.done) >= MOST_FILES:
            problem = Problem(
                file=file, message=f"a project may have {MOST_FILES} files", remedy="Merge some."
            )
            raise ConfigurationError([problem])
        content = self.read_file(file)
        try:
            documents = read_documents(content, file=file, tags=_TAGS) if content is not None else ()
        except ConfigurationError as error:
            self.findings.add(*error.problems)
            return []
        sources = [
            Source(document, base) for document in documents if self._is_sensible(Source(document, base))
        ]
        self.sources += sources
        return sources

    def _is_sensible(self, source: Source) -> bool:
        """Tell whether it is a mapping of a size that a person would write; say what is wrong otherwise."""
        data, place = source.document.data, Node(None, source, ())
        if data is not None and not isinstance(data, dict):
            self.findings.mistake(place, "a compose file is a mapping", remedy="Begin with `services:`.")
            return False
        services = data.get("services") if data else None
        if isinstance(services, dict) and len(services) > MOST_SERVICES:
            message = f"a file may have {MOST_SERVICES} services"
            self.findings.mistake(place, message, remedy="Take those away that the tests do not need.")
            return False
        return data is not None

    def read_file(self, file: str, named_by: Node | None = None) -> bytes | None:
        """Read a file of the checkout; what is wrong with it is a problem where it was named."""
        try:
            return self.checkout.read(file)
        except RefusedError as error:
            self._refuse(file, error, named_by)
        except UsageError as error:
            problem = Problem(file=file, message=error.message, remedy=error.remedy)
            if named_by is None:
                self.findings.add(problem)
            else:
                self.findings.mistake(named_by, error.message, remedy=error.remedy)
        return None

    def _refuse(self, file: str, error: RefusedError, named_by: Node | None) -> None:
        if named_by is None:
            problem = Problem(file=file, message=f"refused: {error.message}", remedy=error.remedy)
            self.findings.add(problem)
        else:
            self.findings.refuse(named_by, f"`{file}`", error.message, instead=error.remedy)

    def dotenv(self, base: str, variables: Variables) -> Mapping[str, Text]:
        """Read the `.env` of a project's folder."""
        file = posixpath.normpath(posixpath.join(base, ".env"))
        try:
            if not self.checkout.exists(file):
                return {}
        except RefusedError as error:
            self._refuse(file, error, None)
            return {}
        return self.env_file(file, variables)

    def env_file(
        self,
        file: str,
        variables: Variables,
        named_by: Node | None = None,
        *,
        raw: bool = False,
        earlier: Mapping[str, Text] | None = None,
    ) -> dict[str, Text]:
        """Read an env file. A name without a value is taken from the variables, and is absent where it is not there.

        What it interpolates are the variables, then what it says itself, then what earlier files said.
        """
        content = self.read_file(file, named_by)
        if content is None:
            return {}
        try:
            substitution = Substitution(variables.find, self.budget)
            found = (
                parse_raw(content, file=file)
                if raw
                else parse_dotenv(content, file=file, substitution=substitution, earlier=earlier)
            )
        except ConfigurationError as error:
            self.findings.add(*error.problems)
            return {}
        filled = {key: variables.find(key) if value is None else value for key, value in found.items()}
        return {key: value for key, value in filled.items() if value is not None}

    def _with_includes(self, document: Node, variables: Variables, depth: int) -> Node:
        includes = document.get("include")
        own = document.with_value({key: value for key, value in document.items() if key != "include"})
        for item in sequence_or_nothing(includes, self.findings):
            with self.findings.catching():
                included = self._include(item, variables, depth + 1)
                own = self._beside(own, included) if included else own
        return own

    def _include(self, item: Node, variables: Variables, depth: int) -> Node | None:
        if depth > DEEPEST_INCLUDE:
            message = f"files include each other more than {DEEPEST_INCLUDE} deep"
            raise MistakeError(item, message, remedy="See whether one includes itself.")
        paths = item.get("path")
        if paths is None:
            raise MistakeError(item, "an include needs a `path`")
        files = [repository_file(part, self.checkout) for part in sequence(paths)]
        if not files:
            raise MistakeError(paths, "an include needs a `path`")
        folder = item.get("project_directory")
        base = repository_file(folder, self.checkout) if folder else posixpath.dirname(files[0]) or "."
        return self.project(files, base, self._variables_of(item, base, variables), depth=depth)

    def _variables_of(self, item: Node, base: str, variables: Variables) -> Variables:
        named = item.get("env_file")
        if named is None:
            return variables.under(self.dotenv(base, variables))
        defaults: dict[str, Text] = {}
        for part in sequence(named):
            if part.value == _NOTHING:
                continue
            file = repository_file(part, self.checkout)
            defaults |= self.env_file(file, variables.under(defaults), part)
        return variables.under(defaults)

    def _beside(self, own: Node, included: Node) -> Node:
        """Put what was included beside what is there; the same name twice is a mistake, unless it is the same thing."""
        made = dict(own.value)
        for section in SECTIONS:
            theirs, ours = included.get(section), own.get(section)
            if theirs is None:
                continue
            for name in {name for name, _ in theirs.items()} & {
                name for name, _ in (ours.items() if ours else ())
            }:
                self._conflict(theirs.value[name], ours.value[name] if ours else None, section, name)
            made[section] = theirs.with_value({**dict(theirs.items()), **dict(ours.items() if ours else ())})
        return own.with_value(made)

    def _conflict(self, theirs: Node, ours: Node | None, section: str, name: str) -> None:
        if ours is not None and ours.place != theirs.place and not is_same(ours, theirs):
            message = f"`{name}` is in {section} here and in what is included ({theirs.place})"
            self.findings.mistake(ours, message, remedy="Rename one of them.", key=True)


def sequence_or_nothing(node: Node | None, findings: Findings) -> list[Node]:
    """Read a list; what is none is a finding."""
    if node is None:
        return []
    with findings.catching():
        return sequence(node)
    return []
