"""`post_start` and `pre_stop`: commands that are run in a service's container."""

from __future__ import annotations

from conductor.compose.context import Context
from conductor.compose.environment import read_variables
from conductor.compose.findings import MistakeError
from conductor.compose.node import Node
from conductor.compose.values import command, mapping, sequence, strict_text
from conductor.domain.stack import Hook


def read_hooks(service: str, node: Node | None, context: Context) -> tuple[Hook, ...]:
    """Read the hooks of one kind, in their order."""
    return tuple(_hook(service, item, context) for item in sequence(node)) if node is not None else ()


def _hook(service: str, item: Node, context: Context) -> Hook:
    mapping(item)
    words, user, folder = (item.get(key) for key in ("command", "user", "working_dir"))
    if words is None or not command(words):
        raise MistakeError(item, "a hook needs its `command`")
    return Hook(
        command=command(words),
        user=strict_text(user) if user else None,
        environment=read_variables(service, item, context),
        working_dir=strict_text(folder) if folder else None,
    )
