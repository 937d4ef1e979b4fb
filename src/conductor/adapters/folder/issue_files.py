"""An issue of a bare repository as a Markdown file: a small head, an empty line, the text. Pure.

People may write such files by git too, so that every line of the head may be missing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from conductor.domain.claim import Issue

_FILE = re.compile(r"([1-9]\d{0,8})\.md")
_FIELD = re.compile(r"([a-z]+):[ \t]*(.*)")
_FENCE = "---"


def number_of(path: str) -> int | None:
    """Tell which issue a file is; None: it is none.

    >>> number_of("12.md"), number_of("12/claim.md"), number_of("README.md")
    (12, None, None)
    """
    found = _FILE.fullmatch(path)
    return int(found[1]) if found else None


def path_of(number: int) -> str:
    """Name the file of an issue."""
    return f"{number}.md"


def beside(number: int, name: str) -> str:
    """Name a file beside an issue: what would be a comment elsewhere."""
    return f"{number}/{name}.md"


def written(issue: Issue) -> str:
    """Write an issue.

    >>> print(written(Issue(repository="shop", number=1, title="Round", labels=("bug",), body="Cents are lost.")))
    ---
    title: Round
    state: open
    labels: bug
    ---
    <BLANKLINE>
    Cents are lost.
    <BLANKLINE>
    """
    fields = {
        "title": issue.title,
        "state": "open" if issue.is_open else "closed",
        "labels": ", ".join(issue.labels),
        "author": issue.author,
        "updated": issue.updated_at.isoformat() if issue.updated_at else "",
    }
    head = [f"{name}: {_line(value)}" for name, value in fields.items() if value]
    return "\n".join((_FENCE, *head, _FENCE, "", issue.body.strip(), ""))


def read(repository: str, number: int, text: str) -> Issue:
    """Read an issue. Without a title in its head, its first line is the title."""
    fields, body = _parted(text)
    first = body.partition("\n")[0].lstrip("# ").strip()
    return Issue(
        repository=repository,
        number=number,
        title=fields.get("title") or first or f"Issue {number}",
        body=body,
        labels=tuple(one for one in (part.strip() for part in fields.get("labels", "").split(",")) if one),
        is_open=fields.get("state", "open").lower() != "closed",
        author=fields.get("author", ""),
        updated_at=_moment(fields.get("updated", "")),
    )


def _parted(text: str) -> tuple[dict[str, str], str]:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].strip() != _FENCE:
        return {}, text.strip()
    end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None:
        return {}, text.strip()
    found = (_FIELD.fullmatch(line.strip()) for line in lines[1:end])
    return {one[1]: one[2].strip() for one in found if one}, "\n".join(lines[end + 1 :]).strip()


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _line(text: str) -> str:
    return " ".join(text.split())
