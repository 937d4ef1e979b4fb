"""Which branch a commit is of, which issue it is about, which pull request it belongs to: by the rules of DESIGN.md, section 6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conductor.adapters.github import refs
from conductor.adapters.github.api import Api
from conductor.adapters.github.site import GitHubSite
from conductor.domain.delivery import CommandGiven, Placed, TagPushed
from conductor.domain.issues import find_issue
from conductor.domain.run import Source
from conductor.domain.trigger import Cause, Trigger
from conductor.errors import NotFoundError

_MOST_PAGES_OF_BRANCHES = 10
Pull = Mapping[str, Any]


async def place(api: Api, site: GitHubSite, pushed: TagPushed) -> Placed:
    """Place a tagged commit."""
    repository = pushed.repository
    message = await refs.commit_message(api, repository, pushed.commit)
    tag = await refs.find_tag(api, repository, pushed.tag)
    pulls = await _pulls_of(api, repository, pushed.commit)
    branch = (
        pushed.branch or await _branch_at(api, repository, pushed.commit) or _branch_of(pulls, repository)
    )
    pull = _pull_from(pulls, repository, branch) or (
        await _open_pull(api, repository, branch) if branch else None
    )
    issue = find_issue(
        tag_message=tag.message if tag and tag.commit == pushed.commit else "",
        commit_message=message,
        branch=branch,
    )
    return Placed(
        repository=repository,
        source=Source(
            location=site.location(repository),
            ref=pushed.tag,
            commit=pushed.commit,
            branch=branch or pushed.tag,
        ),
        trigger=Trigger(
            cause=Cause.TAG,
            hosting="github",
            tag=pushed.tag,
            sender=pushed.sender,
            issue=issue,
            pull_request=int(pull["number"]) if pull else None,
        ),
    )


async def place_command(api: Api, site: GitHubSite, given: CommandGiven) -> Placed:
    """Place a command: at the head of the pull request, or of the branch that belongs to the issue."""
    pull: Pull | None = None
    if given.is_pull_request:
        pull = await api.get(given.repository, f"/pulls/{given.issue}")
    else:
        pull = await _pull_about(api, given.repository, given.issue)
    if pull:
        branch, commit = _name_of_head(pull, given.repository), str(pull["head"]["sha"])
    else:
        branch, commit = await _branch_about(api, given.repository, given.issue)
    return Placed(
        repository=given.repository,
        source=Source(location=site.location(given.repository), ref=commit, commit=commit, branch=branch),
        trigger=Trigger(
            cause=Cause.COMMAND,
            hosting="github",
            sender=given.sender,
            issue=None if given.is_pull_request else given.issue,
            pull_request=int(pull["number"]) if pull else None,
        ),
    )


async def _branch_at(api: Api, repository: str, commit: str) -> str:
    """Return a branch whose head it is: of several the first by name."""
    found = await api.find(repository, f"/commits/{commit}/branches-where-head")
    return min((str(one["name"]) for one in found or ()), default="")


async def _pulls_of(api: Api, repository: str, commit: str) -> list[Pull]:
    found = await api.find(repository, f"/commits/{commit}/pulls", params={"per_page": "100"})
    return [pull for pull in found or () if pull.get("state") == "open"]


async def _open_pull(api: Api, repository: str, branch: str) -> Pull | None:
    owner = repository.split("/", 1)[0]
    found = await api.find(
        repository, "/pulls", params={"state": "open", "head": f"{owner}:{branch}", "per_page": "10"}
    )
    return next(iter(found or ()), None)


def _branch_of(pulls: list[Pull], repository: str) -> str:
    return next((str(pull["head"]["ref"]) for pull in pulls if not _is_foreign(pull, repository)), "")


def _pull_from(pulls: list[Pull], repository: str, branch: str) -> Pull | None:
    """Choose the pull request of that branch, else one of a fork."""
    own = [one for one in pulls if not _is_foreign(one, repository) and str(one["head"]["ref"]) == branch]
    return next(iter([*own, *(one for one in pulls if _is_foreign(one, repository))]), None)


def _is_foreign(pull: Pull, repository: str) -> bool:
    """Tell whether it comes from a fork: a branch of that name is another's then."""
    source = pull["head"].get("repo") or {}
    return str(source.get("full_name", "")).lower() != repository.lower()


def _name_of_head(pull: Pull, repository: str) -> str:
    return f"pull/{pull['number']}" if _is_foreign(pull, repository) else str(pull["head"]["ref"])


async def _pull_about(api: Api, repository: str, issue: int) -> Pull | None:
    """Find the open pull request that says so, or whose branch does: of several the one that changed last."""
    found = await api.get(
        repository,
        "/pulls",
        params={"state": "open", "sort": "updated", "direction": "desc", "per_page": "100"},
    )
    for pull in found:
        branch = "" if _is_foreign(pull, repository) else str(pull["head"]["ref"])
        if find_issue(commit_message=str(pull.get("body") or ""), branch=branch) == issue:
            return dict(pull)
    return None


async def _branch_about(api: Api, repository: str, issue: int) -> tuple[str, str]:
    """Find the one branch whose name says so, and its head. NotFoundError where there is none, or several."""
    named: dict[str, str] = {}
    async for page in api.all(repository, "/branches", most=_MOST_PAGES_OF_BRANCHES):
        named |= {
            str(one["name"]): str(one["commit"]["sha"])
            for one in page
            if find_issue(branch=str(one["name"])) == issue
        }
    if len(named) != 1:
        many = (
            f"{len(named)} branches belong to issue {issue}"
            if named
            else f"no branch belongs to issue {issue}"
        )
        raise NotFoundError(
            f"{repository}: {many}",
            remedy=f"Name a branch `issue-{issue}`, open a pull request that says `Fixes #{issue}`, or push a trigger tag.",
        )
    return next(iter(named.items()))
