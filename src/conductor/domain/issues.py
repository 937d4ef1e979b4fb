"""Which issue a commit is about, as far as its words tell: the tag's message, then the commit's, then the branch's name."""

from __future__ import annotations

import re

_TRAILER = re.compile(r"^issue:\s*(?:[\w.-]+/[\w.-]+)?#(\d{1,9})\b", re.IGNORECASE | re.MULTILINE)
_CLOSES = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:[\w.-]+/[\w.-]+)?#(\d{1,9})\b", re.IGNORECASE
)
"""The words of "Linking a pull request to an issue" (docs.github.com)."""
_BRANCH = re.compile(r"(?:^|/)(?:(?:issue|gh)[-_/]?(\d{1,9})|(\d{1,9}))(?=$|[-_/])", re.IGNORECASE)


def find_issue(*, tag_message: str = "", commit_message: str = "", branch: str = "") -> int | None:
    """Return the issue's number; None where nothing names one.

    >>> find_issue(commit_message="Add a cart. Fixes #12"), find_issue(branch="feature/issue-7-cart")
    (12, 7)
    >>> find_issue(tag_message="Issue: #3", commit_message="Fixes #12"), find_issue(branch="release-2026")
    (3, None)
    """
    texts = ((tag_message, (_TRAILER, _CLOSES)), (commit_message, (_TRAILER, _CLOSES)), (branch, (_BRANCH,)))
    for text, patterns in texts:
        for pattern in patterns:
            if found := pattern.search(text):
                return next((int(number) for number in found.groups() if number and int(number)), None)
    return None
