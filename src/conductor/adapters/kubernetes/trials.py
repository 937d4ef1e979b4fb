"""What `doctor` finds out by trying, in a namespace as runs have them: names, Pod Security, and whether policies are kept.

Three small services: one that listens, a friend on its network that finds it by name, and a stranger on another network that must
not reach it. The namespace is removed in the end, and its lease is short.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.diagnosis import DISMISSING, INSIDE, rights
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.lease import Lease
from conductor.domain.names import ALPHABET
from conductor.domain.stack import Network, Service, Stack
from conductor.domain.states import Phase, States, WorkloadState
from conductor.errors import ConductorError, RunError
from conductor.ports.engine import Diagnosis, Engine, Place

TIME_LIMIT = timedelta(seconds=90)
"""For three pods to start and two to end."""
LEASE = timedelta(minutes=15)
_PORT = 8080
_NO_NAME, _NO_ANSWER = 3, 4
_NODES = "Install a network plugin that keeps NetworkPolicies (Calico, Cilium): without one, runs reach each other."
_POLICIES = "Check the cluster's name servers, CONDUCTOR_DNS_NAMESPACES and the network plugin."
_ADMISSION = "Switch the PodSecurity admission plugin on: it is by default."


async def try_out(engine: Engine, client: Client, site: Site) -> AsyncIterator[Diagnosis]:
    """Yield what was found. Never leaves its namespace behind while this process lives; the sweeper takes what is left."""
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(6))
    place = Place(namespace=f"conductor-doctor-{suffix}", run=f"doctor-{suffix}")
    now = datetime.now(UTC)
    lease = Lease(
        namespace=place.namespace, run=place.run, repository="", created_at=now, expires_at=now + LEASE
    )
    try:
        await engine.create_namespace(place, lease)
        if site.role:
            needed = (*INSIDE, *(DISMISSING if site.writer else ()))
            yield await rights(client, needed, namespace=place.namespace)
        yield await _pod_security(client, place, site)
        for line in await _network(engine, place, site):
            yield line
    except ConductorError as error:
        yield Diagnosis(subject="trial", ok=False, detail=error.message, remedy=error.remedy)
    finally:
        await engine.delete_namespace(place.namespace)


async def _pod_security(client: Client, place: Place, site: Site) -> Diagnosis:
    """Ask for a privileged pod, without making it: it must be refused."""
    privileged: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged", "namespace": place.namespace},
        "spec": {
            "containers": [{"name": "x", "image": site.tools_image, "securityContext": {"privileged": True}}]
        },
    }
    subject = "pod security"
    try:
        await client.create(privileged, dry_run=True)
    except RunError as error:
        if "PodSecurity" in error.message:
            return Diagnosis(subject=subject, ok=True, detail="a privileged pod is refused")
        return Diagnosis(subject=subject, ok=False, detail=error.message, remedy=error.remedy)
    said = "a privileged pod is not refused in a namespace that enforces `baseline`"
    return Diagnosis(subject=subject, ok=False, detail=said, remedy=_ADMISSION)


async def _network(engine: Engine, place: Place, site: Site) -> Sequence[Diagnosis]:
    stack = _stack(site)
    for service in stack.services:
        await engine.apply(place, stack, service)
    found = await _endings(engine, place)
    stuck = [
        s
        for name in ("server", "friend", "stranger")
        if (s := found.get(name)) and s.reason and s.phase is Phase.PENDING
    ]
    if stuck or not {"friend", "stranger"} <= found.keys():
        said = stuck[0].message if stuck else "the trial's pods did not run in time"
        remedy = "Let the nodes pull it, or name another with CONDUCTOR_TOOLS_IMAGE." if stuck else _POLICIES
        return [Diagnosis(subject="network", ok=False, detail=said, remedy=remedy)]
    return [_names(found["friend"]), _policies(found["friend"], found["stranger"])]


def _stack(site: Site) -> Stack:
    def service(name: str, network: str, *command: str) -> Service:
        return Service(
            name=name,
            image=site.tools_image,
            entrypoint=("/bin/busybox",),
            command=command,
            networks={network: ()},
            stop_grace_period=timedelta(seconds=1),
        )

    return Stack(
        name="doctor",
        services=(
            service("server", "inside", "httpd", "-f", "-p", str(_PORT), "-h", "/bin"),
            service("friend", "inside", "sh", "-c", _calling(tries=20)),
            service("stranger", "outside", "sh", "-c", _calling(tries=20, calls=2)),
        ),
        networks=(Network(name="inside"), Network(name="outside")),
    )


def _calling(*, tries: int, calls: int = 0) -> str:
    """Write a script that finds the server by name and calls it, `calls` times at most once the name is there."""
    return f"""\
b=/bin/busybox; n=0; c=0
while [ $n -lt {tries} ]; do
  n=$((n+1))
  a=$($b nslookup server 2>/dev/null | $b awk '/^Name:/ {{ s=1 }} s && /^Address/ {{ print $NF; exit }}')
  if [ -n "$a" ]; then
    echo | $b timeout 5 $b nc -w 2 "$a" {_PORT} >/dev/null && exit 0
    c=$((c+1)); [ $c = {calls} ] && exit {_NO_ANSWER}
  fi
  $b sleep 0.5
done
[ -n "$a" ] && exit {_NO_ANSWER}; exit {_NO_NAME}"""


async def _endings(engine: Engine, place: Place) -> States:
    """Watch until friend and stranger have ended, or one cannot start; return what is known at the time limit."""
    found: States = {}
    try:
        async with asyncio.timeout(TIME_LIMIT.total_seconds()), aclosing(engine.watch(place)) as watch:
            async for found in watch:
                callers = [found.get("friend"), found.get("stranger")]
                if all(state and state.phase is Phase.ENDED for state in callers):
                    break
                if any(state.reason and state.phase is Phase.PENDING for state in found.values()):
                    break
    except TimeoutError:
        return {name: state for name, state in found.items() if state.phase is Phase.ENDED}
    return found


def _names(friend: WorkloadState) -> Diagnosis:
    ok = friend.exit_code in (0, _NO_ANSWER)
    said = "services find each other by name" if ok else "a service does not find its neighbour by name"
    return Diagnosis(subject="names", ok=ok, detail=said, remedy="" if ok else _POLICIES)


def _policies(friend: WorkloadState, stranger: WorkloadState) -> Diagnosis:
    subject = "network policies"
    if friend.exit_code != 0:
        said = "a service does not reach its neighbour on the same network"
        return Diagnosis(subject=subject, ok=False, detail=said, remedy=_POLICIES)
    if stranger.exit_code == 0:
        said = "they are not kept: a service reaches what is on another network"
        return Diagnosis(subject=subject, ok=False, detail=said, remedy=_NODES)
    return Diagnosis(
        subject=subject, ok=True, detail="they are kept: neighbours are reached, strangers are not"
    )
