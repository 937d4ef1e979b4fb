"""Running the commands that Compose runs after a start and before a stop. The engine knows none: they are exec calls of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conductor.adapters.docker.connection.client import Client
from conductor.adapters.docker.containers.hooks import LABEL_POST_START, LABEL_PRE_STOP, plain, written
from conductor.adapters.docker.execution import execute, said
from conductor.domain.stack import Hook, SecretText
from conductor.errors import NotFoundError

Text = Callable[[str | SecretText], str]


async def run_post_start(client: Client, container: str, hooks: Sequence[Hook], text: Text) -> str:
    """Run the hooks in their order; return what went wrong with the first that failed, or nothing."""
    for hook in hooks:
        told = {
            **plain(hook),
            "environment": {name: text(value) for name, value in hook.environment.items()},
        }
        if wrong := await _run(client, container, told):
            return f"post_start: {wrong}"
    return ""


async def run_pre_stop(client: Client, container: Mapping[str, Any]) -> None:
    """Run what its label says. One that fails keeps nothing from being stopped: the stack is to fall asleep or to go."""
    for hook in written(container, LABEL_PRE_STOP):
        await _run(client, container["Id"], hook)


async def run_post_start_again(client: Client, container: Mapping[str, Any]) -> str:
    """Run what its label says, where a container is started once more by somebody without a stack; return what went wrong."""
    for hook in written(container, LABEL_POST_START):
        if wrong := await _run(client, container["Id"], hook):
            return f"post_start: {wrong}"
    return ""


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
