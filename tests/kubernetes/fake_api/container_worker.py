"""One container's life: image, start, probes, ends and new starts."""

from __future__ import annotations

import asyncio
import signal
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.kubernetes.fake_api import times, volumes
from tests.kubernetes.fake_api.containers import CannotStartError, Image, Running, Wanted
from tests.kubernetes.fake_api.kinds import Object
from tests.kubernetes.fake_api.logs import Log
from tests.kubernetes.fake_api.pod_status import is_sidecar, waiting
from tests.kubernetes.fake_api.probes import probe

if TYPE_CHECKING:
    from tests.kubernetes.fake_api.pod_worker import PodWorker

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
_START_ERROR = 128


class ContainerWorker:
    def __init__(self, pod: PodWorker, container: Object) -> None:
        self.pod = pod
        self.container = container
        self.name: str = container["name"]
        self.started = asyncio.Event()
        self.running: Running | None = None
        self.logs: list[Log] = []
        """One of each start; the last is the present one."""
        self._kept: list[Running] = []
        self._task: asyncio.Task[bool] | None = None
        self._stopping = False
        self._oom = False
        self._pause = 0.0
        self._over = asyncio.Event()

    @property
    def policy(self) -> str:
        return "Always" if is_sidecar(self.container) else self.pod.restart_policy

    @property
    def kubelet_pace(self) -> float:
        return self.pod.kubelet.pace

    def start(self) -> None:
        """Run in the background, as a sidecar does."""
        self._task = asyncio.create_task(self.run())

    async def run(self) -> bool:
        """Run until the end for good; return whether it went well."""
        try:
            while True:
                code = await self._once()
                if self._stopping or self.pod.is_ending or not self._again(code):
                    return code == 0
                await self._back_off(code)
        finally:
            self._over.set()

    def _again(self, code: int) -> bool:
        is_step = self.container in (self.pod.pod["spec"].get("initContainers") or ()) and not is_sidecar(
            self.container
        )
        if is_step:
            return code != 0 and self.policy != "Never"
        return self.policy == "Always" or (self.policy == "OnFailure" and code != 0)

    async def _once(self) -> int:
        """Start and wait for the end; return the exit code."""
        image = await self._pulled()
        try:
            wanted = await self._wanted(image)
            begun = times.now()
            running = await self.pod.kubelet.runtime.start(
                wanted, self.pod.folder / f"{self.name}-{uuid.uuid4().hex[:8]}"
            )
        except CannotStartError as error:
            return self._did_not_start(str(error))
        self.pod.record("Created", f"Container created: {self.name}", container=self.name)
        self._is_running(running, begun)
        self.pod.record("Started", f"Container started: {self.name}", container=self.name)
        return await self._watched(running, begun)

    async def _watched(self, running: Running, begun: str) -> int:
        probing = asyncio.create_task(self._probe(running))
        try:
            code = await running.wait()
        except asyncio.CancelledError:
            await running.kill()
            raise
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        self._has_ended(code, begun, running.message())
        return code

    async def _pulled(self) -> Image:
        """Have the image; where it cannot be had, say so and try again, for ever."""
        name, tries = self.container["image"], 0
        while True:
            image = self.pod.kubelet.image(name)
            if image is not None and self.container["imagePullPolicy"] != "Always":
                said = f'Container image "{name}" already present on machine'
                self.pod.record("Pulled", said, container=self.name)
                return image
            await self._cannot_be_pulled(name, tries)
            tries += 1

    async def _cannot_be_pulled(self, name: str, tries: int) -> None:
        if self.container["imagePullPolicy"] == "Never":
            text = f'Container image "{name}" is not present with pull policy of Never'
            self._waits("ErrImageNeverPull", text)
            self.pod.record("ErrImageNeverPull", text, warning=True, container=self.name)
        else:
            why = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": {name}: not found'
            self.pod.record("Pulling", f'Pulling image "{name}"', container=self.name)
            self.pod.record(
                "Failed",
                f'Failed to pull image "{name}": rpc error: code = NotFound desc = {why}',
                warning=True,
                container=self.name,
            )
            self.pod.record("Failed", "Error: ErrImagePull", warning=True, container=self.name)
            self._waits("ErrImagePull", f"rpc error: code = NotFound desc = {why}")
            await asyncio.sleep(0)
            self.pod.record("BackOff", f'Back-off pulling image "{name}"', container=self.name)
            self.pod.record("Failed", "Error: ImagePullBackOff", warning=True, container=self.name)
            self._waits(
                "ImagePullBackOff",
                f'Back-off pulling image "{name}": ErrImagePull: rpc error: code = NotFound desc = {why}',
            )
        await asyncio.sleep(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * self.kubelet_pace)

    async def _wanted(self, image: Image) -> Wanted:
        """Work out what is to run; where something is missing, say so and try again."""
        container, store = self.container, self.pod.kubelet.objects.store
        while True:
            try:
                variables = volumes.environment(store, self.pod.pod, container)
                break
            except volumes.MissingError as error:
                self._waits("CreateContainerConfigError", str(error))
                self.pod.record("Failed", f"Error: {error}", warning=True, container=self.name)
                await asyncio.sleep(max(0.05, self.kubelet_pace))
        command = container.get("command") or list(image.entrypoint)
        arguments = container.get("args")
        if arguments is None:
            arguments = [] if container.get("command") else list(image.command)
        return Wanted(
            image=image,
            command=[volumes.expanded(word, variables) for word in [*command, *arguments]],
            environment={
                "HOSTNAME": self.pod.pod["spec"].get("hostname") or self.pod.pod["metadata"]["name"],
                **variables,
            },
            working_dir=container.get("workingDir") or image.working_dir,
            mounts=volumes.mounts(container, self.pod.volumes),
            message_path=container["terminationMessagePath"],
        )

    def _is_running(self, running: Running, begun: str) -> None:
        self.running = running
        self.logs.append(running.log)
        self._kept.append(running)
        found = self._status
        needs_start = bool(self.container.get("startupProbe")) or bool(
            (self.container.get("lifecycle") or {}).get("postStart")
        )
        needs_ready = bool(self.container.get("readinessProbe"))
        if not needs_start:
            self.started.set()
        self._say(
            {
                **found,
                "state": {"running": {"startedAt": begun}},
                "started": not needs_start,
                "ready": not needs_start and not needs_ready,
                "imageID": f"{self.container['image']}@sha256:{'0' * 64}",
                "containerID": f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}",
            }
        )

    def _has_ended(self, code: int, begun: str, message: str) -> None:
        self.running = None
        reason = "OOMKilled" if self._oom else "Completed" if code == 0 else "Error"
        self._oom = False
        ended = {
            "exitCode": code,
            "reason": reason,
            **({"message": message} if message else {}),
            "startedAt": begun,
            "finishedAt": times.now(),
            "containerID": self._status.get("containerID", ""),
        }
        self._say({**self._status, "state": {"terminated": ended}, "ready": False, "started": False})

    def _did_not_start(self, why: str) -> int:
        self.pod.record("Created", f"Container created: {self.name}", container=self.name)
        self.pod.record("Failed", f"Error: {why}: unknown", warning=True, container=self.name)
        log = Log()
        log.close()
        self.logs.append(log)
        ended = {
            "exitCode": _START_ERROR,
            "reason": "StartError",
            "message": f"{why}: unknown",
            "startedAt": "1970-01-01T00:00:00Z",
            "finishedAt": times.now(),
            "containerID": f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}",
        }
        self._say({**self._status, "state": {"terminated": ended}, "ready": False, "started": False})
        return _START_ERROR

    async def _back_off(self, code: int) -> None:
        """Wait before the next start: not at all the first time, then twice as long each time."""
        found = self._status
        last = {"terminated": found["state"]["terminated"]}
        if self._pause:
            said = f"back-off {_seconds(self._pause)} restarting failed container={self.name} pod={self._pod_name()}"
            self.pod.record(
                "BackOff",
                f"Back-off restarting failed container {self.name} in pod {self._pod_name()}",
                warning=True,
                container=self.name,
            )
            self._say(
                {
                    **found,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": said}},
                    "lastState": last,
                }
            )
            await asyncio.sleep(self._pause * self.kubelet_pace)
        self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
        self.pod.statuses[self.name] = {
            **self._status,
            "state": {"waiting": {"reason": "ContainerCreating"}},
            "lastState": last,
            "restartCount": found["restartCount"] + 1,
        }

    def _pod_name(self) -> str:
        metadata = self.pod.pod["metadata"]
        return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"

    async def _probe(self, running: Running) -> None:
        """Run the hook after the start, then the probes, each in its own time."""
        if hook := (self.container.get("lifecycle") or {}).get("postStart"):
            well, said = await probe({**hook, "timeoutSeconds": 600}, self.container, running, 1.0)
            if not well:
                self.pod.record(
                    "FailedPostStartHook", f"PostStartHook failed: {said}", warning=True, container=self.name
                )
                running.signal(signal.SIGKILL)
                return
        if (found := self.container.get("startupProbe")) and not await self._startup(found, running):
            return
        self.started.set()
        self._say({**self._status, "started": True, "ready": not self.container.get("readinessProbe")})
        async with asyncio.TaskGroup() as group:
            for kind in ("readinessProbe", "livenessProbe"):
                if found := self.container.get(kind):
                    group.create_task(self._repeated(kind, found, running))

    async def _startup(self, found: Object, running: Running) -> bool:
        await asyncio.sleep(float(found.get("initialDelaySeconds") or 0) * self.kubelet_pace)
        failed = 0
        while True:
            well, said = await probe(found, self.container, running, self.kubelet_pace)
            if well:
                return True
            failed += 1
            self._unhealthy("Startup", said)
            if failed >= found["failureThreshold"]:
                running.signal(signal.SIGTERM)
                return False
            await asyncio.sleep(found["periodSeconds"] * self.kubelet_pace)

    async def _repeated(self, kind: str, found: Object, running: Running) -> None:
        await asyncio.sleep(float(found.get("initialDelaySeconds") or 0) * self.kubelet_pace)
        passed = failed = 0
        while True:
            well, said = await probe(found, self.container, running, self.kubelet_pace)
            passed, failed = (passed + 1, 0) if well else (0, failed + 1)
            if not well:
                self._unhealthy("Readiness" if kind == "readinessProbe" else "Liveness", said)
            if kind == "readinessProbe" and (
                passed >= found["successThreshold"] or failed >= found["failureThreshold"]
            ):
                self._say({**self._status, "ready": well})
            elif failed >= found["failureThreshold"]:
                running.signal(signal.SIGTERM)
            await asyncio.sleep(found["periodSeconds"] * self.kubelet_pace)

    def _unhealthy(self, kind: str, said: str) -> None:
        self.pod.record("Unhealthy", f"{kind} probe failed: {said}", warning=True, container=self.name)

    def signal(self, number: int) -> None:
        if self.running:
            self.running.signal(number)

    def kill_for_memory(self) -> None:
        self._oom = True
        self.signal(signal.SIGKILL)

    async def stop(self, grace: float) -> None:
        """End it: by hook and signal, and after the grace by force.

        As on a real node, a shorter grace that is asked for while it ends does not count.
        """
        self._stopping = True
        if self.running is None:
            if self._task:
                self._task.cancel()
            return
        self.pod.record("Killing", f"Stopping container {self.name}", container=self.name)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(grace, 0.05)):
                if hook := (self.container.get("lifecycle") or {}).get("preStop"):
                    await probe({**hook, "timeoutSeconds": 600}, self.container, self.running, 1.0)
                self.signal(signal.SIGTERM)
                await self._over.wait()
        self.signal(signal.SIGKILL)
        await self._over.wait()

    async def aclose(self) -> None:
        """Kill what runs and remove its files."""
        self._stopping = True
        self.signal(signal.SIGKILL)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for running in self._kept:
            await asyncio.to_thread(running.remove)

    @property
    def _status(self) -> Object:
        return self.pod.statuses[self.name]

    def _say(self, found: Object) -> None:
        self.pod.statuses[self.name] = found
        self.pod.publish()

    def _waits(self, reason: str, message: str) -> None:
        kept = {key: self._status[key] for key in ("lastState", "restartCount")}
        self._say({**waiting(self.container, reason, message), **kept})


def _seconds(value: float) -> str:
    """Write as Go does: 10s, 1m20s."""
    minutes, seconds = divmod(int(value), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
