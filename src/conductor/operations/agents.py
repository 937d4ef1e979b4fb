"""Tell agents in a repository's own `AGENTS.md` how to work with Conductor.

Law: what somebody else wrote in that file stays as it is; only what stands between our two marks is ours.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from conductor.errors import ConflictError, NotFoundError

FILE = "AGENTS.md"
BEGIN = "<!-- conductor: begin -->"
END = "<!-- conductor: end -->"


def guide() -> str:
    """Return what agents are told, in Markdown."""
    return files("conductor.operations").joinpath("agents.md").read_text(encoding="utf-8").strip()


def write_guide(folder: Path) -> Path:
    """Write it into `AGENTS.md`, in place of what was written before, else at the end; return the file's path.

    Raises NotFoundError where there is no such folder, ConflictError where our marks in the file are damaged.
    """
    root = folder.absolute()
    if not root.is_dir():
        raise NotFoundError(f"{root} is no folder", remedy="Name the repository's folder.")
    target = root / FILE
    present = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(_with_guide(present, str(target)), encoding="utf-8")
    return target


def _with_guide(present: str, where: str) -> str:
    ours = f"{BEGIN}\n{guide()}\n{END}\n"
    begins, ends = present.count(BEGIN), present.count(END)
    if (begins, ends) == (0, 0):
        return f"{present.rstrip()}\n\n{ours}" if present.strip() else f"# For agents\n\n{ours}"
    before, _, rest = present.partition(BEGIN)
    _, end, after = rest.partition(END)
    if (begins, ends) != (1, 1) or not end:
        raise ConflictError(
            f"{where}: there is not one `{BEGIN}` with one `{END}` after it",
            remedy="Remove these two lines and what is between them, then try again.",
        )
    return f"{before}{ours}{after.removeprefix(chr(10))}"
