"""What Conductor itself puts into pods: files of the repository that no ConfigMap holds.

A pod that needs a filling waits for it in its init container `conductor-prepare`. Whoever applied the service looks for that container
running, packs the filling's source with `files.archive_of`, and sends it to `command` in that container, over exec, once for each
filling. Law: a filling may be sent to every pod, and again after it was cut off: the first whole one counts, later ones are read and
dropped. A pod that the cluster makes anew waits again.
"""

from __future__ import annotations

from dataclasses import dataclass

from conductor.adapters.kubernetes.manifests.binds import Carriage, is_bound
from conductor.adapters.kubernetes.manifests.layout import Layout
from conductor.adapters.kubernetes.manifests.preparation import BUSYBOX, LOCK, PREPARE, ROOM
from conductor.adapters.kubernetes.manifests.volumes import DATA
from conductor.domain.stack import BindMount, FileMount, Service

_SCRIPT = f"""\
set -eu; umask 022; cd "$1"
{LOCK}
take
if [ -e .filled ]; then "$0" cat > /dev/null; leave; exit 0; fi
"$0" rm -rf {DATA}; "$0" tar -xf -; : > .filled
leave"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """One volume to be filled from one path of the checkout."""

    volume: str
    source: str
    """Relative to the checkout; a file or a folder."""
    container: str = PREPARE
    under: str = DATA
    """The name in the archive under which the source stands."""

    @property
    def command(self) -> tuple[str, ...]:
        """What unpacks the archive from its standard input, and lets the pod go on. Exit code 0 is done."""
        return (BUSYBOX, "sh", "-c", _SCRIPT, BUSYBOX, f"{ROOM}/volumes/{self.volume}")


def fillings(layout: Layout, service: Service) -> tuple[Filling, ...]:
    """List what each pod of a service waits for; mostly nothing."""
    bounds = [
        layout.bound(service, mount)
        for mount in service.mounts
        if isinstance(mount, BindMount | FileMount) and is_bound(mount)
    ]
    waiting = [bound for bound in bounds if bound.carriage is Carriage.FILLED]
    return tuple(dict.fromkeys(Filling(volume=bound.volume, source=bound.source) for bound in waiting))
