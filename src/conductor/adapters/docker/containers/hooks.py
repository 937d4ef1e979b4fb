"""Commands that Compose runs in a container after its start and before its stop. Pure; `run_hooks` runs them.

They are written on the container, since whoever stops it or wakes it has no stack at hand. Compose runs them when it is asked to start
and to stop; a container that its engine starts again, that ends by itself, or that is removed at once with its namespace, runs none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from conductor.domain.stack import Hook, SecretText

LABEL_POST_START = "conductor.dev/post-start"
LABEL_PRE_STOP = "conductor.dev/pre-stop"


def hook_labels(post_start: Sequence[Hook], pre_stop: Sequence[Hook]) -> Mapping[str, str]:
    """Write the hooks as labels; secrets in their variables appear by name."""
    given = {LABEL_POST_START: post_start, LABEL_PRE_STOP: pre_stop}
    return {
        label: json.dumps([plain(hook) for hook in hooks], sort_keys=True)
        for label, hooks in given.items()
        if hooks
    }


def needs_secrets(hook: Hook) -> bool:
    """Tell whether a variable of the hook has a secret in it."""
    return any(isinstance(value, SecretText) for value in hook.environment.values())


def written(container: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
    """Return the hooks that a container bears under a label, as plain data."""
    hooks: list[dict[str, Any]] = json.loads((container["Config"].get("Labels") or {}).get(label, "[]"))
    return hooks


def plain(hook: Hook) -> dict[str, Any]:
    """Return a hook as plain data, secrets by name."""
    variables = {
        name: value
        if isinstance(value, str)
        else "".join(part if at % 2 == 0 else f"${{{part}}}" for at, part in enumerate(value.parts))
        for name, value in hook.environment.items()
    }
    made = {
        "command": list(hook.command),
        "user": hook.user,
        "environment": variables,
        "working_dir": hook.working_dir,
    }
    return {key: value for key, value in made.items() if value}
