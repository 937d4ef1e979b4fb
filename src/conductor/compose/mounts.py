"""What a container finds in its file system: `volumes`, `tmpfs`, `configs`, `secrets`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from conductor.compose.check import undefined
from conductor.compose.context import Context
from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.node import Node, Text
from conductor.compose.paths import inside, is_of_the_machine, is_remote, repository_file
from conductor.compose.values import boolean, choice, file_mode, integer, sequence, size, strict_text, text
from conductor.domain.stack import BindMount, FileMount, Mount, TmpfsMount, VolumeMount

_MEMORY_OPTION = re.compile(r"(?:uid|gid|nr_inodes|nr_blocks)=\d+|exec|noexec|suid|nosuid|dev|nodev|ro")
_SECRETS_FOLDER = "/run/secrets"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_NO_EFFECT = frozenset({
    "rw", "z", "Z", "cached", "delegated", "consistent", "rprivate", "private", "noexec", "nosuid", "nodev", "volume-nocopy",
})  # fmt: skip


def read_mounts(name: str, service: Node, context: Context) -> tuple[Mount, ...]:
    """Read all four attributes, in this order."""
    made: list[Mount] = []
    for section in ("volumes", "tmpfs", "configs", "secrets"):
        for item in _items(service, section):
            with context.findings.catching():
                mount = _mount(name, item, section, context)
                if section == "tmpfs" and any(other.target == mount.target for other in made):
                    message = f"{mount.target} has a mount already"
                    raise MistakeError(item, message, remedy="Remove one of them.")
                context.findings.origins[f"services.{name}.volumes[{len(made)}]"] = item
                made.append(mount)
    return tuple(made)


def _mount(service: str, item: Node, section: str, context: Context) -> Mount:
    if section == "volumes":
        return _volume(item, context)
    return _tmpfs(item) if section == "tmpfs" else _file(service, item, section, context)


def _items(service: Node, key: str) -> Iterator[Node]:
    found = service.get(key)
    yield from sequence(found) if found else ()


def _volume(item: Node, context: Context) -> Mount:
    return _long(item, context) if isinstance(item.value, dict) else _short(item, context)


def _short(item: Node, context: Context) -> Mount:
    """Read `source:target:options`, `source:target` or `target`."""
    if _DRIVE.match(text(item)):
        return BindMount(source=_bind_source(item, text(item), context), target="/")
    source, target, options = _parts(item)
    if not source:
        return VolumeMount(volume=None, target=_target(item, target))
    read_only = "ro" in options
    if source.startswith((".", "/", "~", "\\")):
        return BindMount(
            source=_bind_source(item, source, context), target=_target(item, target), read_only=read_only
        )
    mount = VolumeMount(
        volume=_named(item, source, context),
        target=_target(item, target),
        read_only=read_only,
        nocopy=bool(options & {"nocopy", "volume-nocopy"}),
    )
    return _folder_or_volume(mount, context)


def _parts(item: Node) -> tuple[str, str, frozenset[str]]:
    source, sign, rest = text(item).partition(":")
    target, _, written = rest.partition(":")
    options = frozenset(filter(None, written.split(",")))
    if unknown := options - _NO_EFFECT - {"ro", "nocopy"}:
        message = f"`{min(unknown)[:64]}` is no option of a mount"
        raise MistakeError(item, message, remedy="Write source:target or source:target:ro.")
    return (source, target, options) if sign else ("", source, options)


def _long(item: Node, context: Context) -> Mount:
    kind, target, source = item.get("type"), item.get("target"), item.get("source")
    if kind is None or target is None:
        raise MistakeError(item, "a mount needs `type` and `target`")
    where, read_only = _target(target, text(target)), _flag(item, "read_only")
    match choice("bind", "volume", "tmpfs", "npipe", "cluster", "image")(kind):
        case "bind":
            return _long_bind(item, source, where, context, read_only=read_only)
        case "volume":
            return _long_volume(item, source, where, context, read_only=read_only)
        case "tmpfs":
            return _long_tmpfs(item, where)
        case other:
            why = "not every engine can mount it"
            raise RefusalError(
                kind, f"a mount of type {other}", why, instead="Use a volume, or files of the repository."
            )


def _long_bind(
    item: Node, source: Node | None, target: str, context: Context, *, read_only: bool
) -> BindMount:
    if source is None:
        raise MistakeError(item, "a bind mount needs its `source`")
    bind = item.get("bind")
    created = bind.get("create_host_path") if bind else None
    create = boolean(created) if created else False
    where = _bind_source(source, strict_text(source), context)
    if created is not None and not create and not context.checkout.exists(where):
        raise MistakeError(source, f"there is no {where} to mount", remedy="Commit it, or let it be created.")
    return BindMount(source=where, target=target, read_only=read_only, create=create)


def _long_volume(
    item: Node, source: Node | None, target: str, context: Context, *, read_only: bool
) -> VolumeMount | BindMount:
    options = item.get("volume")
    subpath = options.get("subpath") if options else None
    mount = VolumeMount(
        volume=_named(source, strict_text(source), context) if source else None,
        target=target,
        read_only=read_only,
        subpath=text(subpath) if subpath else None,
        nocopy=_flag(options, "nocopy") if options else False,
    )
    return _folder_or_volume(mount, context)


def _folder_or_volume(mount: VolumeMount, context: Context) -> VolumeMount | BindMount:
    """Return the folder of the repository that a volume is declared to be, else the volume.

    `driver_opts: {type: none, o: bind, device: ./data}`; what is elsewhere on the machine stays a volume, which is refused.
    """
    declared = context.section("volumes").get(mount.volume or "")
    options = declared.get("driver_opts") if declared is not None else None
    device = options.get("device") if options is not None else None
    if declared is None or options is None or device is None or not _is_bind(options):
        return mount
    if is_of_the_machine(text(device)) or is_remote(text(device)):
        return mount
    source = posixpath.join(inside(device, text(device), context.checkout), mount.subpath or "")
    if not context.checkout.is_folder(source):
        message = f"there is no folder {source} for the volume {mount.volume}"
        raise MistakeError(device, message, remedy="Commit it, or leave `driver_opts` out.")
    context.findings.note(options, "a folder of the repository")
    return BindMount(
        source=posixpath.normpath(source), target=mount.target, read_only=mount.read_only, create=False
    )


def _is_bind(options: Node) -> bool:
    given = {key: str(value.value) for key, value in options.items()}
    return set(given.get("o", "").split(",")) <= {"bind", "rw", "rbind"} and given.get("type", "none") in (
        "none",
        "bind",
    )


def _long_tmpfs(item: Node, target: str) -> TmpfsMount:
    options = item.get("tmpfs")
    bytes_, mode = (options.get("size"), options.get("mode")) if options else (None, None)
    return TmpfsMount(
        target=target, size_bytes=size(bytes_) if bytes_ else None, mode=_mode(mode) if mode else None
    )


def _mode(node: Node) -> int:
    if isinstance(node.value, str):
        raise MistakeError(node, "the mode of a mount is a number", remedy="Take the quotes away: 0700.")
    return file_mode(node)


def _bind_source(node: Node, source: str, context: Context) -> str:
    if source.endswith(("docker.sock", "podman.sock")):
        why = "whoever has the engine's socket has the machine"
        raise RefusalError(
            node, f"`{source[:80]}`", why, instead="Test against the services of the stack, not the engine."
        )
    if is_of_the_machine(source):
        why = "it is a path of the machine, which other machines do not have and runs do not see"
        instead = "Put what is needed into the repository (`./...`), or use a named volume."
        raise RefusalError(node, f"`{source[:80]}`", why, instead=instead)
    return inside(node, source, context.checkout)


def _named(node: Node, name: str, context: Context) -> str:
    if not _NAME.fullmatch(name):
        raise MistakeError(
            node,
            f"`{name[:64]}` is no name of a volume",
            remedy="A folder of the repository begins with `./`.",
        )
    if name not in context.section("volumes"):
        raise undefined(node, name, "volume", context.section("volumes"))
    return name


def _target(node: Node, target: str) -> str:
    if not target.startswith("/"):
        raise MistakeError(
            node, f"`{target[:80]}` is no absolute path in the container", remedy="Begin it with `/`."
        )
    return posixpath.normpath(target)


def _tmpfs(item: Node) -> TmpfsMount:
    """Read `/run` or `/run:size=64m,mode=1777`."""
    target, _, written = text(item).partition(":")
    size_bytes, mode = None, None
    options: list[str] = []
    for option in filter(None, written.split(",")):
        key, _, value = option.partition("=")
        if key == "size":
            size_bytes = size(item.with_value(value))
        elif key == "mode":
            mode = file_mode(item.with_value(value))
        elif _MEMORY_OPTION.fullmatch(option):
            options.append(option)
        elif option not in _NO_EFFECT:
            why = "engines differ in it"
            raise RefusalError(
                item, f"the option `{option[:64]}` of a tmpfs", why, instead="Use `size` and `mode`."
            )
    return TmpfsMount(target=_target(item, target), size_bytes=size_bytes, mode=mode, options=tuple(options))


def _file(service: str, item: Node, section: str, context: Context) -> FileMount:
    """Read one use of a config or of a secret of the compose file."""
    named, target = item.get("source"), item.get("target")
    if named is None:
        raise MistakeError(item, "it needs its `source`")
    name = text(named)
    if name not in context.section(section):
        raise undefined(named, name, section.removesuffix("s"), context.section(section))
    source, content = _origin(service, name, context.section(section)[name], context)
    mode, uid, gid = item.get("mode"), item.get("uid"), item.get("gid")
    folder = _SECRETS_FOLDER if section == "secrets" else "/"
    return FileMount(
        target=posixpath.normpath(posixpath.join(folder, text(target) if target else name)),
        source=source,
        content=content,
        mode=file_mode(mode) if mode else 0o444,
        uid=integer(uid) if uid else None,
        gid=integer(gid) if gid else None,
        secret=section == "secrets",
    )


def _origin(service: str, name: str, declared: Node, context: Context) -> tuple[str | None, Text | None]:
    """Work out where the text of a config or secret comes from: a file of the repository, or text."""
    file, content, variable = (declared.get(key) for key in ("file", "content", "environment"))
    if sum(origin is not None for origin in (file, content, variable)) != 1:
        external = declared.get("external")
        if external is not None:
            return None, ""
        message = f"`{name}` needs one of `file`, `content` and `environment`"
        raise MistakeError(declared, message, key=True)
    if file is not None:
        return _committed(file, context), None
    if content is not None:
        return None, context.secret_or_text(content, service)
    return None, _from_variable(service, variable, context) if variable else None


def _committed(file: Node, context: Context) -> str:
    if is_of_the_machine(text(file)):
        return _bind_source(file, text(file), context)
    path = repository_file(file, context.checkout)
    if not context.checkout.exists(path):
        remedy = "Commit it. What must not be committed is `environment: NAME`, with NAME declared in .conductor.yaml."
        raise MistakeError(file, f"there is no file {path}", remedy=remedy)
    return path


def _from_variable(service: str, variable: Node, context: Context) -> Text:
    name = text(variable)
    value = context.variables.find(name)
    if value is None:
        remedy = f"Declare {name} under `secrets` in .conductor.yaml, or set it in .env or with --set."
        raise MistakeError(variable, f"the variable {name} is not set", remedy=remedy)
    return context.permitted(variable, value, service)


def _flag(node: Node, key: str) -> bool:
    found = node.get(key)
    return boolean(found) if found else False
