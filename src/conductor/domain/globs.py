"""Globs over paths with `/`, as `.conductor.yaml` has them: `*` and `?` stay inside a part, `**` spans any number of parts."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path is what the pattern means, or lies below a folder that it means.

    >>> matches("reports/**/*.xml", "reports/junit.xml"), matches("reports/**/*.xml", "reports/a/b.xml")
    (True, True)
    >>> matches("coverage/", "coverage/lcov.info"), matches("*.log", "sub/x.log")
    (True, False)
    """
    return _compiled(pattern).fullmatch(path.removeprefix("./")) is not None


def static_prefix(pattern: str) -> str:
    """Return the folder (or file) below which everything lies that can match; empty for the top.

    >>> static_prefix("reports/**/*.xml"), static_prefix("coverage/"), static_prefix("*.xml")
    ('reports', 'coverage', '')
    """
    parts = _parts(pattern)
    fixed: list[str] = []
    for part in parts:
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    root = "/" if pattern.startswith("/") else ""
    return root + "/".join(fixed)


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part not in ("", ".")]


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    regex = "/?" if pattern.startswith("/") else ""
    parts = _parts(pattern)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            regex += ".*" if last else "(?:[^/]+/)*"
        else:
            regex += "".join(_SIGNS.get(sign) or re.escape(sign) for sign in part) + ("" if last else "/")
    return re.compile(f"{regex}(?:/.*)?")


_SIGNS = {"*": "[^/]*", "?": "[^/]"}
