"""What a repository's refs say: which commit is meant by a name, and which branch that commit is on; pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

HEADS = "refs/heads/"
TAGS = "refs/tags/"
_REMOTES = "refs/remotes/"
_ORIGIN = "refs/remotes/origin/"

FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refs:
    """All refs of a repository. `commits` maps full names to commits (annotated tags peeled), `links` symbolic refs to full names."""

    commits: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str | None:
        """The commit that HEAD stands at; None where there is none yet."""
        return self.commits.get("HEAD")

    @property
    def current(self) -> str | None:
        """The branch that HEAD is on; None when detached."""
        link = self.links.get("HEAD", "")
        return link.removeprefix(HEADS) if link.startswith(HEADS) else None

    def default(self) -> str | None:
        """Return the full name of the default branch: what origin calls so, else main, else master, else the current one."""
        wanted = (self.links.get(f"{_ORIGIN}HEAD"), f"{HEADS}main", f"{HEADS}master", self.links.get("HEAD"))
        return next((name for name in wanted if name in self.commits), None)

    def default_of_server(self) -> str | None:
        """Return the full name of the default branch of a server: its HEAD, and only else a usual name."""
        link = self.links.get("HEAD")
        return link if link in self.commits else self.default()

    def find(self, name: str) -> str | None:
        """Return the full name of what is called so: as it stands, a tag, a branch, a branch of origin."""
        full = [name] if name.startswith("refs/") or name == "HEAD" else []
        candidates = (*full, TAGS + name, HEADS + name, _ORIGIN + name, _REMOTES + name)
        return next((one for one in candidates if one in self.commits), None)

    def by_short_id(self, beginning: str) -> set[str]:
        """Return the commits at which some ref stands and whose id begins so."""
        return {commit for commit in self.commits.values() if commit.startswith(beginning)}

    def branch_of(self, commit: str) -> str | None:
        """Return the branch whose head is the commit: the current or default one where several are."""
        heads = sorted(name for name, at in self.commits.items() if name.startswith(HEADS) and at == commit)
        preferred = [name for name in (self.links.get("HEAD"), self.default()) if name in heads]
        return next((name.removeprefix(HEADS) for name in (*preferred, *heads)), None)

    def nearest(self, name: str) -> list[str]:
        """Return the tags and branches that were probably meant."""
        return difflib.get_close_matches(
            name, [short(one) for one in self.commits if one != "HEAD"], n=3, cutoff=0.5
        )


def read_refs(listing: str) -> Refs:
    """Read what `git ls-remote --symref` prints."""
    commits: dict[str, str] = {}
    links: dict[str, str] = {}
    for value, name in _fields(listing):
        if value.startswith("ref: "):
            links[name] = value.removeprefix("ref: ")
        elif FULL_ID.fullmatch(value):
            commits[name.removesuffix("^{}")] = value
    return Refs(commits=commits, links=links)


def short(name: str) -> str:
    """Return the name as people say it.

    >>> short("refs/tags/v1"), short("refs/remotes/origin/main")
    ('v1', 'main')
    """
    for prefix in (HEADS, TAGS, _ORIGIN):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _fields(listing: str) -> Iterator[tuple[str, str]]:
    for line in listing.split("\n"):
        value, tab, name = line.partition("\t")
        if tab:
            yield value, name
