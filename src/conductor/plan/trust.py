"""What an agent's commit may ask for: never more than the default branch's file allows.

Law: `restrict` takes away and never adds; what the two files agree on comes through unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from conductor.domain.plan import PLAN_FILE, Plan, SecretRequest

_NO_FILE = f"the default branch has no {PLAN_FILE} yet"
_THEIRS = f"the default branch's {PLAN_FILE} decides that"


def restrict(asked: Plan, trusted: Plan | None) -> tuple[Plan, tuple[str, ...]]:
    """Return what of the commit's plan may be done, and in words what was taken away and why.

    `secrets`, `environments`, `triggers` and `workspace.image` are security's business: they come from `trusted`, the default branch's
    plan, and the commit may ask for less. Without one (None) there are no secrets, no image, and only the default tags and environments.
    """
    allowed, why = (Plan(), _NO_FILE) if trusted is None else (trusted, _THEIRS)
    environments = tuple(name for name in asked.environments if name in allowed.environments)
    tags = tuple(tag for tag in asked.tags if _is_within(tag, allowed.tags))
    secrets, notes = _secrets(asked.secrets, allowed.secrets, why)
    notes += _taken("the environment", asked.environments, environments, why)
    notes += _taken("the trigger tag", asked.tags, tags, why)
    image = allowed.workspace.image
    if asked.workspace.image not in (None, image):
        notes.append(
            f"the workspace's image is {image or 'the default one'}, not {asked.workspace.image}: {why}"
        )
    workspace = replace(asked.workspace, image=image)
    plan = replace(asked, secrets=secrets, environments=environments, tags=tags, workspace=workspace)
    return plan, tuple(notes)


def _secrets(
    asked: Sequence[SecretRequest], allowed: Sequence[SecretRequest], why: str
) -> tuple[tuple[SecretRequest, ...], list[str]]:
    by_name = {secret.name: secret for secret in allowed}
    given: list[SecretRequest] = []
    notes: list[str] = []
    for secret in asked:
        theirs = by_name.get(secret.name)
        made = theirs and SecretRequest(
            name=secret.name, consumers=_shared(secret.consumers, theirs.consumers)
        )
        if made is None or made.consumers == ():
            notes.append(f"the secret {secret.name} is not given: {why}")
            continue
        given.append(made)
        if made.consumers is not None and not _covers(made.consumers, secret.consumers):
            notes.append(f"the secret {secret.name} is given to {', '.join(made.consumers)} only: {why}")
    return tuple(given), notes


def _shared(asked: tuple[str, ...] | None, allowed: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return who is in both; None is everybody."""
    if asked is None or allowed is None:
        return allowed if asked is None else asked
    return tuple(name for name in asked if name in allowed)


def _covers(given: Sequence[str], asked: Sequence[str] | None) -> bool:
    return asked is not None and set(asked) <= set(given)


def _is_within(pattern: str, allowed: Sequence[str]) -> bool:
    """Tell whether every tag that `pattern` matches is matched by one of the allowed ones; only `*` is special in them."""
    return any(re.fullmatch(re.escape(theirs).replace(r"\*", ".*"), pattern) for theirs in allowed)


def _taken(what: str, asked: Sequence[str], given: Sequence[str], why: str) -> list[str]:
    return [f"{what} {name} is not allowed: {why}" for name in asked if name not in given]
