"""Globs of reports and artifacts in the words of the runner in a test pod: where to search, and a basic regular expression.

Means the same as `conductor.domain.globs`; the working directory is the image's own and known only in the pod.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from conductor.domain.globs import static_prefix


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """One glob: `root` is searched below `base` (`/`, `.`, `..`, ...), and `regex` says which of its paths are meant."""

    base: str
    root: str
    regex: str


def pattern(glob: str) -> Pattern:
    r"""Translate a glob (POSIX basic regular expressions, XBD 9.3).

    >>> pattern("reports/*.xml")
    Pattern(base='.', root='reports', regex='reports/[^/]*\\.xml\\(/.*\\)\\{0,1\\}')
    >>> pattern("../out/").base, pattern("/tmp/x").base
    ('..', '/')
    """
    path = posixpath.normpath(glob) if glob.strip("/") else "/"
    base = "/" if path.startswith("/") else "."
    path = path.lstrip("/")
    while path == ".." or path.startswith("../"):
        base = ".." if base == "." else f"{base}/.."
        path = path[3:]
    path = "" if path == "." else path
    return Pattern(base=base, root=static_prefix(path), regex=_regex(path))


def _regex(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    if not parts:
        return ".*"
    made = "".join(_part(part, last=number == len(parts) - 1) for number, part in enumerate(parts))
    return made + r"\(/.*\)\{0,1\}"


def _part(part: str, *, last: bool) -> str:
    if part == "**":
        return ".*" if last else r"\([^/][^/]*/\)*"
    signs = {"*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(sign) or re.sub(r"([.\[*^$\\])", r"\\\1", sign) for sign in part) + (
        "" if last else "/"
    )
