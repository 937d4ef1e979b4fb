"""Commands that Compose runs in a container after its start and before its stop. The engine knows none: they are exec calls of ours.

They are written on the container, since whoever stops it or wakes it has no stack at hand. Compose runs them when it is asked to start
and to stop; a container that its engine starts again, that ends by itself, or that is removed at once with its namespace, runs none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conductor.adapters.docker.connection.client import Client
from conductor.adapters.docker.execution import execute, said
from conductor.domain.stack import Hook, SecretText
from conductor.errors import NotFoundError

LABEL_POST_START = "conductor.dev/post-start"
LABEL_PRE_STOP = "conductor.dev/pre-stop"
Text = Callable[[str | SecretText], str]


def hook_labels(post_start: Sequence[Hook], pre_stop: Sequence[Hook]) -> Mapping[str, str]:
    """Write the hooks as labels; secrets in their variables appear by name."""
    given = {LABEL_POST_START: post_start, LABEL_PRE_STOP: pre_stop}
    return {
        label: json.dumps([_plain(hook) for hook in hooks], sort_keys=True)
        for label, hooks in given.items()
        if hooks
    }


def needs_secrets(hook: Hook) -> bool:
    """Tell whether a variable of the hook has a secret in it."""
    return any(isinstance(value, SecretText) for value in hook.environment.values())


async def run_post_start(client: Client, container: str, hooks: Sequence[Hook], text: Text) -> str:
    """Run the hooks in their order; return what went wrong with the first that failed, or nothing."""
    for hook in hooks:
        plain = {
            **_plain(hook),
            "environment": {name: text(value) for name, value in hook.environment.items()},
        }
        if wrong := await _run(client, container, plain):
            return f"post_start: {wrong}"
    return ""


async def run_pre_stop(client: Client, container: Mapping[str, Any]) -> None:
    """Run what its label says. One that fails keeps nothing from being stopped: the stack is to fall asleep or to go."""
    for hook in _written(container, LABEL_PRE_STOP):
        await _run(client, container["Id"], hook)


async def run_post_start_again(client: Client, container: Mapping[str, Any]) -> str:
    """Run what its label says, where a container is started once more by somebody without a stack; return what went wrong."""
    for hook in _written(container, LABEL_POST_START):
        if wrong := await _run(client, container["Id"], hook):
            return f"post_start: {wrong}"
    return ""


def _written(container: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
    hooks: list[dict[str, Any]] = json.loads((container["Config"].get("Labels") or {}).get(label, "[]"))
    return hooks


async def _run(client: Client, container: str, hook: Mapping[str, Any]) -> str:
    command: list[str] = hook["command"]
    try:
        result = await execute(
            client,
            container,
            command,
            user=hook.get("user") or "",
            environment=hook.get("environment") or {},
            working_dir=hook.get("working_dir") or "",
        )
    except NotFoundError as error:
        return f"`{command[0]}` could not be run: {error.message}"
    if result.exit_code == 0:
        return ""
    return f"`{command[0]}` exited with {result.exit_code}{': ' if said(result) else ''}{said(result)}"


def _plain(hook: Hook) -> dict[str, Any]:
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
