"""The kubernetes engine: the verbs of `ports.engine`, each a few lines over the parts of this folder.

A namespace is a namespace; its lease is an annotation on it. What keeps a service is a Job, a Deployment or a StatefulSet.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from conductor.adapters.kubernetes import addresses, diagnosis, namespaces, sleeping, trials
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.applying import Applying
from conductor.adapters.kubernetes.collect import Collection
from conductor.adapters.kubernetes.filling import Fillers
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.renderer import KubernetesRenderer
from conductor.adapters.kubernetes.seeing.sight import Sight
from conductor.adapters.kubernetes.seeing.together import Together
from conductor.adapters.kubernetes.streams import archives, execution
from conductor.adapters.kubernetes.streams.logs import read_log
from conductor.adapters.kubernetes.streams.port_forward import Forwards
from conductor.adapters.kubernetes.streams.terminal import attach
from conductor.adapters.kubernetes.syncing import ClusterWriting
from conductor.adapters.kubernetes.usage import ResourceMetrics
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import LogLine
from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import States
from conductor.ports.engine import Address, Diagnosis, ExecResult, Place
from conductor.ports.registry import Registry
from conductor.ports.secrets import Secrets
from conductor.ports.terminal import Terminal
from conductor.ports.usage import Used


class KubernetesEngine(KubernetesRenderer):
    """A cluster, by its API."""

    def __init__(
        self,
        connection: Connection,
        *,
        site: Site,
        secrets: Secrets | None = None,
        registry: Registry | None = None,
    ) -> None:
        """Take a site, which names the instance; `secrets` only where this process has the values itself."""
        super().__init__(site)
        self._connection = connection
        self._sight = Sight(connection, instance=site.instance)
        self._applying = Applying(sight=self._sight, site=site, secrets=secrets, registry=registry)
        self.writing = (
            ClusterWriting(connection, instance=site.instance, writer=site.writer) if site.writer else None
        )
        self._collection = Collection(connection)
        self._forwards = Forwards()
        self._metrics = ResourceMetrics()
        self._listing = Together(self._list_namespaces)

    async def create_namespace(self, place: Place, lease: Lease) -> None:
        """Make the namespace with its mark, then its bounds."""
        await self._applying.create_namespace(await self._client(), place, lease)

    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        """Make the service run, or adopt what runs."""
        await self._applying.apply(await self._client(), place, stack, service)

    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        """Start the job beside the stack, or adopt it; from now on what it leaves is listened for."""
        await self._applying.start_job(await self._client(), place, stack, job)
        if job.reports or job.artifacts:
            self._collection.follow(place.namespace, kube_name(job.workload.name))

    async def stop(self, place: Place, workload: str, *, grace: timedelta) -> None:
        """End a workload, and remember that it was us. Its own grace counts: a pod's cannot be changed."""
        del grace
        await sleeping.stop(await self._client(), self._sight, place.namespace, kube_name(workload))

    async def watch(self, place: Place) -> AsyncGenerator[States]:
        """Yield the states, first at once, then whenever they change; meanwhile pods that wait for files get them."""
        client = await self._client()

        async def send(pod: str, container: str, command: Sequence[str], stdin: bytes) -> int:
            target = execution.Target(namespace=place.namespace, pod=pod, container=container)
            return (await execution.execute(client, target, command, stdin=stdin)).exit_code

        def see(keepers: Sequence[Manifest], pods: Sequence[Manifest]) -> None:
            fillers.see(keepers, pods)
            self._collection.see(pods)

        fillers = Fillers(place, send)
        try:
            async with aclosing(self._sight.watch(place.namespace, see=see)) as seen:
                async for states in seen:
                    yield states
        finally:
            await fillers.aclose()

    async def states(self, place: Place) -> States:
        """Return the states now."""
        return await self._sight.states(place.namespace)

    async def logs(
        self, place: Place, workload: str, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine]:
        """Yield the lines of a workload, of all its pods and restarts."""
        lines = read_log(
            await self._client(), self._sight, place.namespace, workload, since=since, follow=follow
        )
        async with aclosing(lines):
            async for line in lines:
                yield line

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Measure what each workload uses, where the cluster can tell."""
        return await self._metrics.usage(await self._client(), place.namespace)

    async def exec(
        self,
        place: Place,
        workload: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
    ) -> ExecResult:
        """Run a command in the newest running pod of the workload."""
        client = await self._client()
        target = await execution.running(client, place.namespace, workload)
        return await execution.execute(client, target, command, stdin=stdin, timeout=timeout)

    async def attach(self, place: Place, workload: str, command: Sequence[str], terminal: Terminal) -> int:
        """Run a command with somebody's terminal."""
        client = await self._client()
        target = await execution.running(client, place.namespace, workload)
        return await attach(client, target, command, terminal)

    async def copy_in(self, place: Place, workload: str, path: str, archive: bytes) -> None:
        """Unpack an archive in the running container of the workload."""
        client = await self._client()
        target = await execution.running(client, place.namespace, workload)
        await archives.copy_in(client, target, path, archive)

    async def copy_out(self, place: Place, workload: str, path: str) -> AsyncGenerator[bytes]:
        """Yield an archive of a path of the running workload."""
        client = await self._client()
        target = await execution.running(client, place.namespace, workload)
        async with aclosing(archives.copy_out(client, target, path)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes]:
        """Yield an archive of what the job's globs match."""
        async with aclosing(self._collection.collect(place, job)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def url_of(self, place: Place, service: str, port: int) -> str:
        """Return an address on this machine that leads to the port, as long as this process lives."""
        client = await self._client()

        async def find() -> execution.Target:
            return await execution.running(client, place.namespace, service)

        return await self._forwards.address(client, (place.namespace, service, port), find)

    async def address_of(
        self, place: Place, stack: Stack, service: str, *, port: int | None = None
    ) -> Address:
        """Lead the ingress to the service through the stack's gate, which is made if it is not there."""
        return await addresses.open_address(
            await self._client(), place, stack, self.site, service=service, port=port
        )

    async def sleep(self, place: Place) -> None:
        """Stop all that is not finished, and remember that it sleeps."""
        await sleeping.sleep(await self._client(), self._sight, place.namespace)

    async def wake(self, place: Place, service: str) -> None:
        """Let what sleeps run again."""
        await sleeping.wake(await self._client(), self._sight, place.namespace, kube_name(service))

    async def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace."""
        await namespaces.mark(await self._client(), self._sight, lease)

    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List the namespaces of this instance."""
        return await self._listing()

    async def delete_namespace(self, namespace: str) -> int:
        """Remove a namespace, and return once it is gone."""
        count = await namespaces.delete(await self._client(), self._sight, namespace, role=self.site.role)
        self._applying.forget(namespace)
        self._collection.forget(namespace)
        await self._forwards.forget(namespace)
        return count

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Look at the cluster for `doctor`, and try out what can only be tried."""
        found = [line async for line in diagnosis.look(self._connection, self.site)]
        if all(line.ok for line in found if line.subject in ("cluster", "rights")):
            client = await self._client()
            found += [line async for line in trials.try_out(self, client, self.site)]
        if line := addresses.diagnosis(self.site):
            found.append(line)
        return found

    async def aclose(self) -> None:
        """Let go of watches and connections."""
        await self._listing.aclose()
        await self._forwards.aclose()
        await self._collection.aclose()
        await self._sight.aclose()
        await self._connection.aclose()

    async def _list_namespaces(self) -> Sequence[NamespaceInfo]:
        return await namespaces.list_all(await self._client(), self._sight)

    async def _client(self) -> Client:
        return await self._connection.client()
