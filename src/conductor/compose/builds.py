"""`build`: how a service's image is made of the repository."""

from __future__ import annotations

import posixpath

from conductor.compose.context import Context
from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.node import Node
from conductor.compose.paths import inside, is_remote, repository_file
from conductor.compose.values import (
    boolean,
    mapping,
    scalar_text,
    sequence,
    size,
    strict_text,
    text,
    text_map,
)
from conductor.domain.stack import Build


def read_build(node: Node, context: Context, *, platform: Node | None = None) -> Build:
    """Read a build; context and Dockerfile are relative to the checkout and there. `platform` is the service's."""
    mapping(node)
    folder = _context(node, context)
    inline = node.get("dockerfile_inline")
    named = node.get("dockerfile")
    if inline and named:
        raise MistakeError(
            named, "`dockerfile` and `dockerfile_inline` exclude each other", remedy="Keep one of them."
        )
    args, labels, target = node.get("args"), node.get("labels"), node.get("target")
    network, shm = node.get("network"), node.get("shm_size")
    return Build(
        context=folder,
        dockerfile="Dockerfile" if inline else _dockerfile(node, folder, context),
        dockerfile_inline=text(inline) if inline else None,
        target=strict_text(target) if target else None,
        args=_args(args, context) if args else {},
        labels=text_map(labels) if labels else {},
        network=text(network) if network else None,
        no_cache=_flag(node, "no_cache"),
        pull=_flag(node, "pull"),
        platform=_platform(node, platform, context),
        shm_bytes=(size(shm) or None) if shm else None,
    )


def _context(node: Node, context: Context) -> str:
    named = node.get("context")
    if named is not None and is_remote(text(named)):
        why = "only the repository's own files are built, at the commit that is tested"
        raise RefusalError(
            named, f"the context `{text(named)[:80]}`", why, instead="Put what it names into the repository."
        )
    folder = repository_file(named, context.checkout) if named else inside(node, ".", context.checkout)
    if not context.checkout.is_folder(folder):
        message = f"there is no folder {folder} to build from"
        raise MistakeError(
            named or node, message, remedy="Check `context`: it is relative to the compose file."
        )
    return folder


def _dockerfile(node: Node, folder: str, context: Context) -> str:
    named = node.get("dockerfile")
    relative = (text(named) if named else "") or "Dockerfile"
    place = named or node
    path = relative if relative.startswith(("/", "~")) else posixpath.join(folder, relative)
    found = inside_checkout(place, path, context)
    if not context.checkout.exists(found) or context.checkout.is_folder(found):
        message = f"there is no Dockerfile {found}"
        raise MistakeError(place, message, remedy="Check `dockerfile`: it is relative to `context`.")
    return found


def inside_checkout(node: Node, path: str, context: Context) -> str:
    """Resolve a path that is relative to the checkout already."""
    back = posixpath.relpath(path, node.source.base) if not path.startswith(("/", "~")) else path
    return inside(node, back, context.checkout)


def _args(node: Node, context: Context) -> dict[str, str]:
    """Read build arguments; one without a value is taken from the variables."""
    made: dict[str, str] = {}
    for key, value in mapping(node).items():
        found = value.with_value(context.variables.find(key)) if value.value is None else value
        if found.value is None:
            context.findings.note(value, f"{key} is not set: the Dockerfile's default is used")
        else:
            made[key] = scalar_text(found) if isinstance(found.value, bool | int | float) else text(found)
    return made


def _flag(node: Node, key: str) -> bool:
    found = node.get(key)
    return boolean(found) if found else False


def _platform(node: Node, of_service: Node | None, context: Context) -> str | None:
    """Choose the platform as `docker compose up` does: the service's, else the only one, else the engine's own."""
    platforms = node.get("platforms")
    named = [text(item) for item in sequence(platforms)] if platforms else []
    if of_service is not None and of_service.value:
        wanted = strict_text(of_service)
        if platforms and named and wanted not in named:
            message = f"`platforms` has no {wanted[:64]}, which is the platform of the service"
            raise MistakeError(platforms, message, remedy="Add it, or leave `platforms` out.")
        return wanted
    if platforms and len(named) > 1:
        context.findings.note(
            platforms, "a run needs one image: the one for the engine's own platform is built"
        )
    return named[0] if len(named) == 1 else None
