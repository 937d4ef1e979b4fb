"""Put the hook into a bare repository that tells a server of its tags.

Law: a push succeeds whatever the server does; what it was not told of it finds by looking at the tags.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from conductor.errors import ConflictError, NotFoundError, StateError

_MARK = "# conductor hook install"
_HOOK = """#!/bin/sh
{mark} wrote this: it tells Conductor of the tags that were pushed. A push succeeds whatever comes of it.
pushed=$(while read -r old new ref; do
  case "$ref" in
    refs/tags/*)
      commit=$(git rev-parse --verify --quiet --end-of-options "$new^{{commit}}" 2>/dev/null) || commit=-
      printf '%s %s %s %s\\n' "$old" "$new" "$commit" "$ref" ;;
  esac
done)
[ -n "$pushed" ] || exit 0
printf '%s\\n' "$pushed" | {command} || echo "Conductor was not told of this push; its server finds the tag by itself." >&2
exit 0
"""


def install(repository: Path, *, conductor: Sequence[str], server: str, secret_file: Path, name: str) -> Path:
    """Write the hook and return its file. `conductor` is the command's beginning, `name` what the server calls the repository.

    Raises NotFoundError where that is no bare repository, ConflictError where it has a hook of somebody else.
    """
    hooks = repository / "hooks"
    if not (repository / "HEAD").is_file() or not (repository / "objects").is_dir():
        raise NotFoundError(
            f"{repository} is no bare repository", remedy="Make one: git init --bare NAME.git."
        )
    hook = hooks / "post-receive"
    if hook.exists() and _MARK not in hook.read_text(errors="replace"):
        raise ConflictError(
            f"{hook} is there already and not Conductor's",
            remedy="Move it away, or call `conductor deliver --post-receive` from it.",
        )
    options = ("--repository", name, "--server", server, "--secret-file", str(secret_file.absolute()))
    command = shlex.join([*conductor, "deliver", "--post-receive", *options])
    try:
        hooks.mkdir(exist_ok=True)
        hook.write_text(_HOOK.format(mark=_MARK, command=command))
        hook.chmod(0o755)
    except OSError as error:
        raise StateError(
            f"{hook} cannot be written: {error.strerror}", remedy="Do it as the repository's owner."
        ) from error
    return hook
