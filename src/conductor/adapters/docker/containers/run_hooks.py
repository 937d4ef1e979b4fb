"""Running the commands that Compose runs after a start and before a stop. The engine knows none: they are exec calls of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


async def run_post_start_again(client: Client, container: Mapping[str, Any]) -> str:
    """Run what its label says, where a container is started once more by somebody without a stack; return what went wrong."""
    for hook in written(container, LABEL_POST_START):
        if wrong := await _run(client, container["Id"], hook):
            return f"post_start: {wrong}"
    return ""


async def run_pre_stop(client: Client, container: Mapping[str, Any]) -> str:
    """Run what its label says, up to the first that fails; return how that ended. What it said is left out: its secrets are not known."""
    for hook in written(container, LABEL_PRE_STOP):
        if wrong := await _run(client, container["Id"], hook):
            return f"pre_stop: {wrong.how}"
    return ""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """How a command failed, and what it, or the engine, said."""

    how: str
    said: str

    def __str__(self) -> str:
        return f"{self.how}: {self.said}" if self.said else self.how


async def _run(client: Client, container: str, hook: Mapping[str, Any]) -> _Wrong | None:
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
        return _Wrong(f"`{command[0]}` could not be run", error.message)
    if result.exit_code == 0:
        return None
    return _Wrong(f"`{command[0]}` exited with {result.exit_code}", said(result))
