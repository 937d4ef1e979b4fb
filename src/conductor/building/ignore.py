"""`.dockerignore`: which files of a context belong to the build.

Law: as Docker documents it (docs.docker.com/build/concepts/context/#dockerignore-files): the last pattern that matches decides, `!`
takes files back, `**` is any number of folders, a pattern that matches a folder matches all that is in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of the file. `keeps` is `!`."""

    expression: re.Pattern[str]
    keeps: bool


class Ignore:
    """The patterns of one file, in their order."""

    def __init__(self, text: str = "") -> None:
        self.patterns = tuple(_patterns(text.removeprefix("\ufeff").splitlines()))
        self._takes_back = any(pattern.keeps for pattern in self.patterns)

    def __contains__(self, path: str) -> bool:
        r"""Tell whether a path relative to the context, with `/`, is left out.

        >>> "build/app.o" in Ignore("build")
        True
        >>> "docs/README.md" in Ignore("**/*.md\n!docs/README.md")
        False
        """
        parents = _with_parents(path)
        for pattern in reversed(self.patterns):
            if any(pattern.expression.fullmatch(parent) for parent in parents):
                return not pattern.keeps
        return False

    def leaves_out_all_of(self, folder: str) -> bool:
        """Tell whether nothing in this folder can belong to the build, so that nobody has to look into it."""
        return not self._takes_back and folder in self


def _with_parents(path: str) -> tuple[str, ...]:
    parts = path.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts), 0, -1))


def _patterns(lines: Iterable[str]) -> Iterable[Pattern]:
    for line in lines:
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        keeps = text.startswith("!")
        cleaned = _clean(text[1:].strip() if keeps else text)
        if cleaned not in ("", "."):
            yield Pattern(_expression(cleaned), keeps)


def _clean(pattern: str) -> str:
    return posixpath.normpath(pattern).lstrip("/") if pattern else ""


_PIECE = re.compile(
    r"(?P<any>\*\*/?)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[[^\]]+\])|\\(?P<escaped>.)|(?P<plain>.)", re.DOTALL
)


def _expression(pattern: str) -> re.Pattern[str]:
    """Translate as Docker's own matcher does (github.com/moby/patternmatcher)."""
    made = []
    for piece in _PIECE.finditer(pattern):
        match piece.lastgroup:
            case "any":
                made.append(".*" if piece.end() == len(pattern) else "(?:.*/)?")
            case "some":
                made.append("[^/]*")
            case "one":
                made.append("[^/]")
            case "set":
                made.append(_set(piece["set"]))
            case _:
                made.append(re.escape(piece["escaped"] or piece["plain"]))
    try:
        return re.compile("".join(made), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def _set(text: str) -> str:
    inner = text[1:-1]
    negated, inner = inner.startswith("^"), inner.removeprefix("^")
    return f"[{'^' if negated else ''}{inner.replace('[', chr(92) + '[')}]"
