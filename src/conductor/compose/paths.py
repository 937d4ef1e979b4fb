"""Paths that a compose file names: relative to the file's folder as it means them, relative to the checkout as Conductor does."""

from __future__ import annotations

import re

from conductor.compose.findings import RefusalError
from conductor.compose.node import Node
from conductor.compose.reader import Checkout
from conductor.compose.values import text
from conductor.errors import RefusedError

_REMOTE = re.compile(
    r"^(?:[a-z][a-z0-9+-]*://|git@|github\.com/|oci:|docker-image:|service:|target:)", re.IGNORECASE
)
_OF_THE_MACHINE = re.compile(r"^(?:[/~\\]|[A-Za-z]:[/\\])")


def is_remote(path: str) -> bool:
    """Tell whether it names something that is not a file."""
    return bool(_REMOTE.match(path))


def is_of_the_machine(path: str) -> bool:
    """Tell whether it starts at the machine's root, a drive or a home."""
    return bool(_OF_THE_MACHINE.match(path))


def repository_file(node: Node, checkout: Checkout) -> str:
    """Read a path, relative to the checkout. Raises `RefusalError` where it is remote or leads out."""
    path = text(node)
    shown = f"`{path[:80]}`"
    if is_remote(path):
        why, instead = "only files of the repository are read", "Put what it names into the repository."
        raise RefusalError(node, shown, why, instead=instead)
    return inside(node, path, checkout)


def inside(node: Node, path: str, checkout: Checkout) -> str:
    """Resolve a path that a node names. Raises `RefusalError` where it leads out of the checkout."""
    try:
        return checkout.resolve(node.relative_to_checkout(path))
    except RefusedError as error:
        raise RefusalError(node, f"`{path[:80]}`", error.message, instead=error.remedy) from None
