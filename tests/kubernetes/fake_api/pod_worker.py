"""One pod's life on its node: volumes, init containers, sidecars, containers, and an orderly end."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import signal
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubernetes.fake_api import times, volumes
from tests.kubernetes.fake_api.container_worker import ContainerWorker
from tests.kubernetes.fake_api.kinds import PODS, Object
from tests.kubernetes.fake_api.objects import Deletion
from tests.kubernetes.fake_api.pod_status import is_sidecar, status, waiting, with_condition
from tests.kubernetes.fake_api.problems import Problem

if TYPE_CHECKING:
    from tests.kubernetes.fake_api.kubelet import Kubelet

_addresses = count(10)
_DEADLINE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    def __init__(self, kubelet: Kubelet, pod: Object) -> None:
        self.kubelet = kubelet
        self.pod = pod
        self.folder: Path = kubelet.folder / "pods" / pod["metadata"]["uid"]
        self.volumes: dict[str, Path] = {}
        self.containers: dict[str, ContainerWorker] = {}
        self.statuses: dict[str, Object] = {}
        self._ending = asyncio.Event()
        self._reason: tuple[str, str] | None = None
        self._gone = False
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_seconds: int | None = None

    @property
    def restart_policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy") or "Always")

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    def saw(self, pod: Object) -> None:
        """Take a new version of the pod: its end may have been asked for."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._ending.set()
        self._set_deadline()

    def gone(self) -> None:
        """Know that the object is not there any more: what runs is killed."""
        self._gone = True
        self._ending.set()
        for container in self.containers.values():
            container.signal(signal.SIGKILL)

    def end(self, reason: str, message: str) -> None:
        """End the pod by the node's own decision."""
        self._reason = self._reason or (reason, message)
        self._ending.set()

    def out_of_memory(self, container: str) -> None:
        self.containers[container].kill_for_memory()

    def record(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        """Write an event about the pod or one of its containers."""
        kinds = {c["name"]: "initContainers" for c in self.pod["spec"].get("initContainers") or ()}
        path = f"spec.{kinds.get(container, 'containers')}{{{container}}}" if container else ""
        self.kubelet.objects.record(
            self.pod, reason, message, warning=warning, source="kubelet", field_path=path
        )

    def publish(self, **more: object) -> None:
        """Write the pod's status as it is now."""
        if self._gone:
            return
        found = status(self.pod, self.statuses)
        if self._reason and found["phase"] in ("Succeeded", "Failed"):
            found.update(phase="Failed", reason=self._reason[0], message=self._reason[1])
            if self._reason[0] == "Evicted":
                found["conditions"] = with_condition(
                    found["conditions"], "DisruptionTarget", "TerminationByKubelet", self._reason[1]
                )
        if (
            self.is_ending
            and found["phase"] == "Pending"
            and not any("running" in s["state"] for s in self.statuses.values())
        ):
            found.pop("phase")
        self.pod = self.kubelet.objects.status(PODS, self.pod, **{**found, **more})

    async def live(self) -> None:
        """Live the whole life."""
        spec = self.pod["spec"]
        first = spec.get("initContainers") or []
        for container in [*first, *spec["containers"]]:
            reason = "PodInitializing" if first and container in spec["containers"] else "ContainerCreating"
            self.statuses[container["name"]] = waiting(container, reason)
        address = str(ipaddress.ip_address("10.244.0.0") + next(_addresses))
        self.publish(startTime=times.now(), hostIP="192.0.2.10", podIP=address, podIPs=[{"ip": address}])
        self.saw(self.pod)
        running = asyncio.create_task(self._run())
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                await self._end(running)
            else:
                await running
            self._finish()
            await self._until_deleted()
        finally:
            for task in (running, ending):
                task.cancel()
            await asyncio.gather(running, ending, return_exceptions=True)
            await self._clean_up()

    async def _run(self) -> None:
        """Run all containers until all have ended for good."""
        await self._mounted()
        sidecars: list[ContainerWorker] = []
        for container in self.pod["spec"].get("initContainers") or ():
            worker = self._worker(container)
            if is_sidecar(container):
                worker.start()
                sidecars.append(worker)
                await worker.started.wait()
            elif not await worker.run():
                await self._stop(sidecars)
                return
        main = [self._worker(container) for container in self.pod["spec"]["containers"]]
        await asyncio.gather(*(worker.run() for worker in main))
        await self._stop(sidecars)

    def _worker(self, container: Object) -> ContainerWorker:
        worker = ContainerWorker(self, container)
        self.containers[container["name"]] = worker
        return worker

    async def _mounted(self) -> None:
        """Lay out the volumes; until that goes, say why not and try again."""
        store = self.kubelet.objects.store
        while True:
            try:
                self.volumes = volumes.lay_out(store, self.pod, self.folder, self.kubelet.folder / "claims")
            except volumes.MissingError as error:
                self.record("FailedMount", str(error), warning=True)
                await asyncio.sleep(max(0.05, self.kubelet.pace))
            else:
                return

    async def _stop(self, workers: list[ContainerWorker]) -> None:
        """End sidecars, the last one first."""
        grace = float(self._grace())
        for worker in reversed(workers):
            await worker.stop(grace)
        self.publish()

    def _grace(self) -> int:
        metadata = self.pod["metadata"]
        asked = metadata.get("deletionGracePeriodSeconds")
        return int(asked if asked is not None else self.pod["spec"].get("terminationGracePeriodSeconds") or 0)

    async def _end(self, running: asyncio.Task[None]) -> None:
        """End what runs: the containers, then the sidecars."""
        main = [c for c in self.containers.values() if not is_sidecar(c.container)]
        sidecars = [c for c in self.containers.values() if is_sidecar(c.container)]
        await asyncio.gather(*(worker.stop(self._grace()) for worker in main))
        await self._stop(sidecars)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for name, found in self.statuses.items():
            if "waiting" in found["state"]:
                self.statuses[name] = self._never_started(found)
        self.publish()

    def _never_started(self, found: Object) -> Object:
        """Say of a container that waits that it will not start any more."""
        last = found["lastState"].get("terminated")
        if last:
            return {**found, "state": {"terminated": last}, "lastState": {}}
        if self._reason is None and not self.pod["metadata"].get("deletionTimestamp"):
            return found
        lost = {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": None,
            "finishedAt": None,
        }
        return {**found, "state": {"terminated": lost}} if self._reason else found

    def _finish(self) -> None:
        """Write the last status: a pod that was ended is Failed, unless it had gone well."""
        if self._gone:
            return
        phase = (self.pod.get("status") or {}).get("phase")
        states = [found["state"].get("terminated") for found in self.statuses.values()]
        went_well = all(state and state["exitCode"] == 0 for state in states)
        if self._reason:
            self.publish(phase="Failed", reason=self._reason[0], message=self._reason[1])
        elif phase not in ("Succeeded", "Failed") and self.pod["metadata"].get("deletionTimestamp"):
            self.publish(phase="Succeeded" if went_well else "Failed")

    async def _until_deleted(self) -> None:
        """Wait for the deletion of what has ended, and let the object go."""
        while not self._gone and not self.pod["metadata"].get("deletionTimestamp"):
            self._ending.clear()
            await self._ending.wait()
        if not self._gone:
            metadata = self.pod["metadata"]
            with suppress(Problem):
                self.kubelet.objects.alter(PODS, self.pod, _without_grace)
                self.kubelet.objects.delete(
                    PODS,
                    metadata["namespace"],
                    metadata["name"],
                    Deletion(grace=0, propagation="Background", uid=metadata["uid"]),
                )
        while not self._gone:
            self._ending.clear()
            await self._ending.wait()

    def _set_deadline(self) -> None:
        """Set the alarm of `activeDeadlineSeconds`, counted from the pod's start."""
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        started = (self.pod.get("status") or {}).get("startTime")
        if seconds is None or not started or seconds == self._deadline_seconds:
            return
        if self._deadline:
            self._deadline.cancel()
        self._deadline_seconds = seconds
        left = times.read(started) / 1e9 + seconds - times.nanoseconds() / 1e9
        self._deadline = asyncio.get_running_loop().call_later(max(0.0, left), self._over_time)

    def _over_time(self) -> None:
        if (self.pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed") and not self._gone:
            self.record("DeadlineExceeded", _DEADLINE)
            self.end("DeadlineExceeded", _DEADLINE)

    async def _clean_up(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        for worker in self.containers.values():
            await worker.aclose()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


def _without_grace(pod: Object) -> None:
    pod["metadata"]["deletionGracePeriodSeconds"] = 0
