"""What this machine lets Podman do, and the configuration that Podman needs because of it.

Pure but for `look`. Nothing under /etc changes: the text becomes a file of Conductor's own, named by `CONTAINERS_CONF`.
"""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CAP_SYS_RESOURCE = 24
"""Number of the capability that lets a process raise limits (capabilities(7))."""

PODMAN_WISHES = {"nofile": 1048576, "nproc": 32768}
"""What Podman gives containers by default, where it may; it lowers its own limit of processes to 32768 (tried), so more cannot be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What was seen. `hard_limits` is what containers may have at most; empty where limits may be raised."""

    systemd: bool
    hybrid_cgroups: bool
    runc: bool
    hard_limits: Mapping[str, int]


def look() -> Machine:
    """Look at this machine."""
    return Machine(
        systemd=Path("/run/systemd/system").is_dir(),
        hybrid_cgroups=Path("/sys/fs/cgroup/unified").is_dir(),
        runc=shutil.which("runc", path=_search_path()) is not None,
        hard_limits={} if _may_raise_limits() else _hard_limits(),
    )


EXEC_LEFTOVER_SECONDS = 10
"""How long Podman keeps a process for each exec that has ended; its default of 300 s makes hundreds of them of frequent health checks."""


def configuration(machine: Machine) -> str:
    """Write containers.conf(5) for this machine; empty where Podman's own defaults work.

    >>> configuration(Machine(systemd=True, hybrid_cgroups=False, runc=False, hard_limits={}))
    ''
    """
    engine: list[str] = []
    if machine.hybrid_cgroups and machine.runc:
        engine.append('runtime = "runc"')
    if not machine.systemd:
        engine += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    if engine:
        engine.append(f"exit_command_delay = {EXEC_LEFTOVER_SECONDS}")
    limits = [f'"{name}={hard}:{hard}"' for name, hard in machine.hard_limits.items()]
    containers = [f"default_ulimits = [{', '.join(limits)}]"] if limits else []
    return _section("containers", containers) + _section("engine", engine)


def _section(name: str, lines: list[str]) -> str:
    return "\n".join([f"[{name}]", *lines, ""]) if lines else ""


def _hard_limits() -> Mapping[str, int]:
    found = {
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "nproc": resource.getrlimit(resource.RLIMIT_NPROC)[1],
    }
    return {
        name: min(hard, PODMAN_WISHES[name]) for name, hard in found.items() if hard != resource.RLIM_INFINITY
    }


def _may_raise_limits() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return os.geteuid() == 0 and bool(int(effective, 16) >> CAP_SYS_RESOURCE & 1)


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
