"""What a control group of this machine uses, as the kernel has it, of either version.

Source: docs.kernel.org, "Control Group v2" and "Control Groups version 1" (cpuacct, memory).
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")
_NANO = 1e9
_MICRO = 1e6


def read(
    pid: int, container: str, *, root: Path = ROOT, processes: Path = PROCESSES
) -> tuple[float, int] | None:
    """Return the seconds of CPU that a container has spent and its working set in bytes; None where that cannot be read here.

    Groups are named after containers: where the engine is in a machine of its own behind a socket, the process of that number is another.
    """
    try:
        groups = _groups((processes / str(pid) / "cgroup").read_text())
        if not all(container in path for path in groups.values()):
            return None
        if "memory" in groups:
            return _first_version(root, groups)
        return _second_version(root / groups[""].lstrip("/"))
    except (OSError, KeyError, ValueError, StopIteration):
        return None


def _groups(text: str) -> dict[str, str]:
    r"""Say where its group is of each controller; that of version 2 has no name.

    >>> _groups("4:memory:/a\n2:cpu,cpuacct:/b\n0::/c\n")
    {'memory': '/a', 'cpu': '/b', 'cpuacct': '/b', '': '/c'}
    """
    lines = [line.split(":", 2) for line in text.splitlines()]
    return {name: path for _, names, path in lines for name in names.split(",")}


def _first_version(root: Path, groups: dict[str, str]) -> tuple[float, int]:
    cpu = root / "cpuacct" / groups["cpuacct"].lstrip("/")
    memory = root / "memory" / groups["memory"].lstrip("/")
    used = int((memory / "memory.usage_in_bytes").read_text())
    cache = _number((memory / "memory.stat").read_text(), "total_inactive_file")
    return int((cpu / "cpuacct.usage").read_text()) / _NANO, max(0, used - cache)


def _second_version(group: Path) -> tuple[float, int]:
    used = int((group / "memory.current").read_text())
    cache = _number((group / "memory.stat").read_text(), "inactive_file")
    return _number((group / "cpu.stat").read_text(), "usage_usec") / _MICRO, max(0, used - cache)


def _number(text: str, name: str) -> int:
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))
