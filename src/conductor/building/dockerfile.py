"""Dockerfiles, only as far as needed to say on which line an instruction stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ESCAPE_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_HEREDOC = re.compile(r"<<-?(?P<quote>[\"']?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)")
_TAKES_HEREDOCS = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, on one line of text, and the line of the file where it begins, counted from 1."""

    line: int
    text: str


def instructions(dockerfile: str) -> tuple[Instruction, ...]:
    r"""Split a Dockerfile into its instructions (docs.docker.com/reference/dockerfile/#format).

    >>> instructions("FROM a\n\nRUN x \\\n  && y\n")
    (Instruction(line=1, text='FROM a'), Instruction(line=3, text='RUN x && y'))
    """
    return tuple(_read(dockerfile.splitlines()))


def line_of(dockerfile: str, step: str) -> int:
    """Return the line of the instruction that an engine shows as `step`; 0 where there is none like it."""
    wanted = _plain(step)
    found = [one.line for one in instructions(dockerfile) if _plain(one.text) == wanted]
    near = [one.line for one in instructions(dockerfile) if _plain(one.text).startswith(wanted)]
    return next(iter([*found, *near]), 0)


def _plain(text: str) -> str:
    keyword, _, rest = " ".join(text.split()).partition(" ")
    return f"{keyword.upper()} {rest}".strip()


def _read(lines: Sequence[str]) -> Iterator[Instruction]:
    escape = _escape_of(lines)
    at = 0
    while at < len(lines):
        if _is_comment_or_empty(lines[at]):
            at += 1
            continue
        start = at
        parts: list[str] = []
        while at < len(lines):
            text = lines[at].strip()
            at += 1
            if parts and _is_comment_or_empty(text):
                continue
            parts.append(text.removesuffix(escape).strip())
            if not text.endswith(escape):
                break
        whole = " ".join(part for part in parts if part)
        yield Instruction(start + 1, whole)
        at = _after_heredocs(lines, at, whole)


def _is_comment_or_empty(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _escape_of(lines: Sequence[str]) -> str:
    for line in lines:
        if match := _ESCAPE_DIRECTIVE.match(line.strip()):
            return match[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"


def _after_heredocs(lines: Sequence[str], at: int, instruction: str) -> int:
    if not instruction.upper().startswith(_TAKES_HEREDOCS):
        return at
    for heredoc in _HEREDOC.finditer(instruction):
        while at < len(lines) and lines[at].strip() != heredoc["word"]:
            at += 1
        at += 1
    return at
