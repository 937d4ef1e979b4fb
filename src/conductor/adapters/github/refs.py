"""Tags, branches and commits, as GitHub has them now. A tag always leads to a commit here, never to a tag object."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from conductor.adapters.github.api import Api
from conductor.adapters.github.exchange import in_path
from conductor.domain.delivery import Order, Placed, Tag
from conductor.domain.run import Run

_DEEPEST = 5
"""A tag of a tag of a tag is possible; nobody means it."""
_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a tag leads: a commit, and the messages of the tag objects on the way."""

    commit: str
    message: str = ""


async def find_tag(api: Api, repository: str, name: str) -> Target | None:
    """Return where a tag stands now; None where it is gone, or leads to no commit."""
    found = await api.find(repository, f"/git/ref/tags/{in_path(name)}")
    return await _resolved(api, repository, found["object"]) if isinstance(found, dict) else None


async def find_head(api: Api, repository: str, branch: str) -> str | None:
    """Return the head of a branch now."""
    found = await api.find(repository, f"/git/ref/heads/{in_path(branch)}")
    return str(found["object"]["sha"]) if isinstance(found, dict) else None


async def find_tags(api: Api, repository: str, patterns: Sequence[str]) -> Sequence[Tag]:
    """List the tags that fit, each once."""
    found: dict[str, Tag] = {}
    for beginning in sorted({re.split(r"[*?\[]", pattern, maxsplit=1)[0] for pattern in patterns}):
        async for page in api.all(repository, f"/git/matching-refs/tags/{in_path(beginning)}"):
            for one in page:
                name = str(one["ref"]).removeprefix(_TAGS)
                if name in found or not any(fnmatchcase(name, pattern) for pattern in patterns):
                    continue
                if target := await _resolved(api, repository, one["object"]):
                    found[name] = Tag(name=name, commit=target.commit)
    return list(found.values())


async def commit_message(api: Api, repository: str, commit: str) -> str:
    """Return the message of a commit; NotFoundError where it is not there."""
    return str((await api.get(repository, f"/git/commits/{commit}"))["message"])


async def order(api: Api, repository: str, one: Placed | Run, other: Run) -> Order:
    """Tell whether `one` is newer: what the shared tag or branch stands at now, then ancestry."""
    mine, others = one.source.commit, other.source.commit
    if mine is None or others is None:
        return "unknown"
    if mine == others:
        return "same"
    for present in (
        await _shared_tag(api, repository, one, other),
        await _shared_branch(api, repository, one, other),
    ):
        if present in (mine, others):
            return "newer" if present == mine else "older"
    return await _ancestry(api, repository, mine, others)


async def _shared_tag(api: Api, repository: str, one: Placed | Run, other: Run) -> str | None:
    tags = {run.trigger.tag if run.trigger else "" for run in (one, other)}
    name = tags.pop()
    target = await find_tag(api, repository, name) if name and not tags else None
    return target.commit if target else None


async def _shared_branch(api: Api, repository: str, one: Placed | Run, other: Run) -> str | None:
    branches = {run.source.branch or "" for run in (one, other)}
    name = branches.pop()
    return await find_head(api, repository, name) if name and not branches else None


async def _ancestry(api: Api, repository: str, one: str, other: str) -> Order:
    compared = await api.find(repository, f"/compare/{other}...{one}", params={"per_page": "1"})
    status = compared.get("status") if isinstance(compared, dict) else None
    orders: dict[Any, Order] = {"ahead": "newer", "behind": "older", "identical": "same"}
    return orders.get(status, "unknown")


async def _resolved(api: Api, repository: str, target: dict[str, Any]) -> Target | None:
    messages: list[str] = []
    for _ in range(_DEEPEST):
        if target["type"] == "commit":
            return Target(commit=str(target["sha"]), message="\n".join(messages))
        if target["type"] != "tag":
            return None
        tag = await api.find(repository, f"/git/tags/{in_path(str(target['sha']))}")
        if not isinstance(tag, dict):
            return None
        messages.append(str(tag.get("message") or ""))
        target = tag["object"]
    return None
