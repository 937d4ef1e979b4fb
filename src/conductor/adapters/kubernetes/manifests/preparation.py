"""What is done in a pod before its service starts: init containers, with a static busybox and without a shell in the image.

`conductor-prepare` runs the site's tools: it unpacks files of the repository, makes folders and modes, or waits for Conductor to fill a
volume. `conductor-content` runs the service's own image with the tools' busybox, and copies what the image has at the place of a new
volume, as Compose does. Law: both may be repeated, and run side by side in several pods on one volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.adapters.kubernetes.manifests.volumes import ARCHIVE, DATA, Piece

PREPARE = "conductor-prepare"
CONTENT = "conductor-content"
NAMES = "conductor-names"
HELPERS = (PREPARE, CONTENT, NAMES)
"""Containers of Conductor's own."""
BUSYBOX = "/bin/busybox"
ROOM = "/conductor"
"""Where the helpers see volumes, each whole, and what they read."""
TOOLS = "/.conductor/bin"
"""Where a service sees the tools, where it needs them."""
_TOOLS_VOLUME = "tools"
NO_RIGHTS: Mapping[str, object] = {
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Of a helper that touches nobody's files."""
WAITS_SECONDS = 1800
STALE_SECONDS = 300

LOCK = f"""\
take() {{
  n=0
  until "$0" ln -s "$POD" .lock 2> /dev/null || [ "$("$0" readlink .lock)" = "$POD" ]; do
    n=$((n + 1)); [ "$n" -le {STALE_SECONDS} ] || "$0" rm -f .lock
    "$0" sleep 1
  done
}}
leave() {{ "$0" rm -f .lock; }}"""
"""A lock in the present folder that a pod may take twice, and that does not outlive a pod for ever."""

_FUNCTIONS = {
    "own": """\
own() { "$0" chown "$3" "volumes/$1/$2"; "$0" chmod "$4" "volumes/$1/$2"; }""",
    "folder": """\
folder() { "$0" mkdir -p "volumes/$1/$2"; }""",
    "unpack": f"""\
unpack() (
  cd "volumes/$1"; take
  if [ ! -e .filled ]; then
    "$0" rm -rf {DATA}; "$0" tar -xzf "{ROOM}/sources/$2/{ARCHIVE}"; : > .filled
  fi
  leave
)""",
    "await": f"""\
await() {{
  n=0
  until [ -e "volumes/$1/.filled" ]; do
    n=$((n + 1)); [ "$n" -le {WAITS_SECONDS} ] || {{ echo "nobody filled $1" >&2; exit 1; }}
    "$0" sleep 1
  done
}}""",
    "copy": f"""\
copy() (
  cd "volumes/$1"; "$0" mkdir -p {DATA}
  [ -d "$2" ] || exit 0
  take
  if [ -e .copying ] || [ -z "$("$0" ls -A {DATA})" ]; then
    : > .copying
    "$0" cp -a "$2/." {DATA}/
    "$0" chown "$("$0" stat -L -c %u:%g "$2")" {DATA}; "$0" chmod "$("$0" stat -L -c %a "$2")" {DATA}
    "$0" rm .copying
  fi
  leave
)""",
}
_LOCKING = ("unpack", "copy")


def init_containers(
    pieces: Sequence[Piece], *, tools_image: str, image: str, pull: str, tools_needed: bool
) -> list[Manifest]:
    """Make the helpers that come before the service; none where there is nothing to do."""
    made = []
    copied = [piece for piece in pieces if piece.copy]
    prepared = [piece for piece in pieces if piece.before]
    lines = list(dict.fromkeys(line for piece in prepared for line in piece.before))
    if copied or tools_needed:
        lines.insert(0, f'"$0" cp "$0" {_TOOLS_VOLUME}/busybox')
    if lines:
        made.append(_prepare(prepared, lines, tools_image, tools=bool(copied or tools_needed)))
    if copied:
        made.append(_content(copied, image, pull))
    return made


def tools_volume(containers: Iterable[Manifest], *, tools_needed: bool) -> list[Manifest]:
    """Return the volume that the tools are handed over in, where somebody needs it."""
    needed = tools_needed or any(container["name"] == CONTENT for container in containers)
    return [{"name": _TOOLS_VOLUME, "emptyDir": {}}] if needed else []


def tools_mount() -> Manifest:
    """Show the tools to the service."""
    return {"name": _TOOLS_VOLUME, "mountPath": TOOLS, "readOnly": True}


def source_volumes(pieces: Sequence[Piece]) -> list[Manifest]:
    """Return the volumes that only the tools see."""
    return [piece.source for piece in pieces if piece.source]


def _prepare(pieces: Sequence[Piece], lines: Sequence[str], image: str, *, tools: bool) -> Manifest:
    made = _helper(PREPARE, image, BUSYBOX, lines)
    variables = {str(variable["name"]): variable for piece in pieces for variable in piece.variables}
    sources = {str(source["name"]): source for source in source_volumes(pieces)}
    mounts = [*_whole(pieces)]
    mounts += [{"name": n, "mountPath": f"{ROOM}/sources/{n}", "readOnly": True} for n in sources]
    mounts += [{"name": _TOOLS_VOLUME, "mountPath": f"{ROOM}/{_TOOLS_VOLUME}"}] if tools else []
    made |= {"env": [_pod(), *variables.values()], "volumeMounts": mounts}
    return made if pieces else made | {"securityContext": dict(NO_RIGHTS)}


def _content(pieces: Sequence[Piece], image: str, pull: str) -> Manifest:
    lines = list(dict.fromkeys(line for piece in pieces for line in piece.copy))
    made = _helper(CONTENT, image, f"{ROOM}/{_TOOLS_VOLUME}/busybox", lines)
    tools: Manifest = {"name": _TOOLS_VOLUME, "mountPath": f"{ROOM}/{_TOOLS_VOLUME}", "readOnly": True}
    return made | {"imagePullPolicy": pull, "env": [_pod()], "volumeMounts": [*_whole(pieces), tools]}


def _pod() -> Manifest:
    """Tell a helper which pod it is in: what it holds a lock by."""
    return {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}


def _whole(pieces: Sequence[Piece]) -> list[Manifest]:
    names = dict.fromkeys(piece.name for piece in pieces)
    return [{"name": name, "mountPath": f"{ROOM}/volumes/{name}"} for name in names]


def _helper(name: str, image: str, busybox: str, lines: Sequence[str]) -> Manifest:
    used = [text for word, text in _FUNCTIONS.items() if any(line.startswith(f"{word} ") for line in lines)]
    lock = [LOCK] if any(line.startswith(_LOCKING) for line in lines) else []
    script = "\n".join(["set -eu; umask 022", f"cd {ROOM}", *lock, *used, *lines])
    return helper(name, image, [busybox, "sh", "-c", script, busybox])


def helper(name: str, image: str, command: Sequence[str]) -> Manifest:
    """Make a container of Conductor's own: small, as root, with no more rights than keeping owners needs."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "workingDir": "/",
        "resources": {
            "limits": {"cpu": "500m", "memory": "128Mi"},
            "requests": {"cpu": "10m", "memory": "16Mi"},
        },
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]},
        },
    }
