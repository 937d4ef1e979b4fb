"""Jobs: pods to completion, with back-off, suspension, deadlines and failure policies."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.controllers.loop import Key, Loop, owned, owner_key
from tests.kubernetes.fake_api.controllers.pods import end_pod, is_active, is_over, is_ready, make_pod
from tests.kubernetes.fake_api.kinds import JOBS, PODS, Object, owner
from tests.kubernetes.fake_api.objects import Objects
from tests.kubernetes.fake_api.pod_status import with_condition
from tests.kubernetes.fake_api.store import Event

TRACKING = "batch.kubernetes.io/job-tracking"
_SOURCE = "job-controller"
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
_RETRY = 1.0
_NOTHING_RUNS = {"active": None, "ready": 0, "terminating": 0}


class JobController:
    pace = 1.0
    """Real seconds for each second of back-off."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop
        self._not_before: dict[str, int] = {}

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is JOBS:
            yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource is PODS:
            yield from owner_key(event, "Job")

    def reconcile(self, key: Key) -> None:
        job = self.objects.store.find(JOBS, *key)
        if job is None:
            self._let_orphans_go(key)
            return
        pods = owned(self.objects.store.all(PODS, key[0]), job)
        if job["metadata"].get("deletionTimestamp") or _holds(job, "Complete") or _holds(job, "Failed"):
            for pod in pods:
                self._let_go(pod)
            return
        job = self._counted(job, pods)
        job = self._judged(key, job, pods)
        if _holds(job, "FailureTarget") or _holds(job, "SuccessCriteriaMet"):
            job = self._ended(job)
        elif job["spec"]["suspend"]:
            job = self._suspended(job)
        else:
            job = self._going(key, job)
        self._tell(job)

    def _counted(self, job: Object, pods: list[Object]) -> Object:
        """Count what has ended, and let go of it. A pod that fails in the end may be told to count nothing, or to end the Job."""
        status = job.get("status") or {}
        succeeded, failed = status.get("succeeded", 0), status.get("failed", 0)
        conditions = status.get("conditions") or []
        for pod in pods:
            if TRACKING not in (pod["metadata"].get("finalizers") or ()) or not self._has_ended(job, pod):
                continue
            if (pod.get("status") or {}).get("phase") == "Succeeded":
                succeeded += 1
            else:
                action, why = _judgement(job, pod)
                failed += action != "Ignore"
                if action == "FailJob" and not _holds(job, "FailureTarget"):
                    conditions = with_condition(conditions, "FailureTarget", "PodFailurePolicy", why)
                if action != "Ignore":
                    self._pause(job, failed)
            self._let_go(pod)
        if (succeeded, failed) == (status.get("succeeded", 0), status.get("failed", 0)) and conditions == (
            status.get("conditions") or []
        ):
            return job
        return self.objects.status(
            JOBS, job, succeeded=succeeded or None, failed=failed or None, conditions=conditions or None
        )

    def _has_ended(self, job: Object, pod: Object) -> bool:
        waits = job["spec"].get("podReplacementPolicy") == "Failed"
        return is_over(pod) or (bool(pod["metadata"].get("deletionTimestamp")) and not waits)

    def _pause(self, job: Object, failed: int) -> None:
        pause = min(_FIRST_PAUSE * 2 ** (failed - 1), _LONGEST_PAUSE) * self.pace
        self._not_before[job["metadata"]["uid"]] = times.nanoseconds() + int(pause * 10**9)

    def _let_orphans_go(self, key: Key) -> None:
        for pod in self.objects.store.all(PODS, key[0]):
            reference = owner(pod) or {}
            if (reference.get("kind"), reference.get("name")) == ("Job", key[1]):
                self._let_go(pod)

    def _let_go(self, pod: Object) -> None:
        def change(thing: Object) -> None:
            thing["metadata"]["finalizers"] = [
                f for f in thing["metadata"].get("finalizers") or () if f != TRACKING
            ]

        if TRACKING in (pod["metadata"].get("finalizers") or ()):
            self.objects.alter(PODS, pod, change)

    def _judged(self, key: Key, job: Object, pods: list[Object]) -> Object:
        """Decide whether the Job has come to its end."""
        if _holds(job, "FailureTarget") or _holds(job, "SuccessCriteriaMet"):
            return job
        spec, status = job["spec"], job.get("status") or {}
        reason = ""
        if status.get("succeeded", 0) >= (spec.get("completions") or 1):
            return self._condition(
                job, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
            )
        if status.get("failed", 0) + _restarts(job, pods) > spec["backoffLimit"]:
            reason, message = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        elif self._is_over_time(key, job):
            reason, message = "DeadlineExceeded", "Job was active longer than specified deadline"
        return self._condition(job, "FailureTarget", reason, message) if reason else job

    def _is_over_time(self, key: Key, job: Object) -> bool:
        seconds, started = (
            job["spec"].get("activeDeadlineSeconds"),
            (job.get("status") or {}).get("startTime"),
        )
        if seconds is None or not started or job["spec"]["suspend"]:
            return False
        left = times.read(started) / 1e9 + seconds - times.nanoseconds() / 1e9
        if left > 0:
            self.loop.later(self, key, left)
        return left <= 0

    def _ended(self, job: Object) -> Object:
        """End what still runs; once nothing does, say how the Job ended."""
        pods = owned(self.objects.store.all(PODS, job["metadata"]["namespace"]), job)
        for pod in pods:
            if is_active(pod):
                self._take(job, pod)
        if any(
            not is_over(pod) for pod in owned(self.objects.store.all(PODS, job["metadata"]["namespace"]), job)
        ):
            return job
        if _holds(job, "SuccessCriteriaMet"):
            self.objects.record(job, "Completed", "Job completed", source=_SOURCE)
            found = next(c for c in job["status"]["conditions"] if c["type"] == "SuccessCriteriaMet")
            return self._condition(
                job,
                "Complete",
                found["reason"],
                found["message"],
                completionTime=times.now(),
                **_NOTHING_RUNS,
            )
        found = next(c for c in job["status"]["conditions"] if c["type"] == "FailureTarget")
        self.objects.record(job, found["reason"], found["message"], warning=True, source=_SOURCE)
        return self._condition(job, "Failed", found["reason"], found["message"], **_NOTHING_RUNS)

    def _suspended(self, job: Object) -> Object:
        for pod in owned(self.objects.store.all(PODS, job["metadata"]["namespace"]), job):
            if is_active(pod):
                self._take(job, pod)
        if not _holds(job, "Suspended"):
            job = self._condition(job, "Suspended", "JobSuspended", "Job suspended")
            self.objects.record(job, "Suspended", "Job suspended", source=_SOURCE)
        if (job.get("status") or {}).get("startTime"):
            job = self.objects.status(JOBS, job, startTime=None)
        return job

    def _take(self, job: Object, pod: Object) -> None:
        """End a pod; what the Job ends itself is no failure of the pod, so it is let go of first."""
        self._let_go(pod)
        end_pod(self.objects, job, pod, _SOURCE)

    def _going(self, key: Key, job: Object) -> Object:
        if not (job.get("status") or {}).get("startTime"):
            job = self.objects.status(JOBS, job, startTime=times.now())
        if _holds(job, "Suspended"):
            job = self._condition(job, "Suspended", "JobResumed", "Job resumed", holds=False)
            self.objects.record(job, "Resumed", "Job resumed", source=_SOURCE)
        pods = owned(self.objects.store.all(PODS, key[0]), job)
        waits = job["spec"].get("podReplacementPolicy") == "Failed"
        going = [pod for pod in pods if not is_over(pod) and (waits or is_active(pod))]
        wanted = min(
            job["spec"]["parallelism"],
            (job["spec"].get("completions") or 1) - (job["status"].get("succeeded") or 0),
        )
        if (
            len(going) < wanted
            and (left := self._not_before.get(job["metadata"]["uid"], 0) - times.nanoseconds()) > 0
        ):
            self.loop.later(self, key, left / 1e9)
            return job
        for _ in range(wanted - len(going)):
            if make_pod(self.objects, JOBS, job, job["spec"]["template"], _SOURCE, finalizers=[TRACKING]):
                self.loop.later(self, key, _RETRY)
                break
        return job

    def _tell(self, job: Object) -> None:
        pods = owned(self.objects.store.all(PODS, job["metadata"]["namespace"]), job)
        active = [pod for pod in pods if is_active(pod)]
        leaving = [pod for pod in pods if not is_over(pod) and pod["metadata"].get("deletionTimestamp")]
        self.objects.status(
            JOBS,
            job,
            active=len(active) or None,
            ready=sum(map(is_ready, active)),
            terminating=len(leaving),
            uncountedTerminatedPods={},
        )

    def _condition(
        self, job: Object, kind: str, reason: str, message: str, *, holds: bool = True, **more: object
    ) -> Object:
        known = (job.get("status") or {}).get("conditions") or []
        made = with_condition(known, kind, reason, message, holds=holds)
        made[-1]["lastProbeTime"] = made[-1]["lastTransitionTime"]
        return self.objects.status(JOBS, job, conditions=made, **more)


def _restarts(job: Object, pods: list[Object]) -> int:
    """Count starts anew within pods, where the policy lets them happen."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return 0
    return sum(
        s.get("restartCount", 0)
        for pod in pods
        for s in (pod.get("status") or {}).get("containerStatuses") or ()
    )


def _judgement(job: Object, pod: Object) -> tuple[str, str]:
    """Find the first rule of the failure policy that a failed pod matches; return its action and the words for it."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        if why := _matched(rule, pod):
            return rule["action"], f"{why} matching {rule['action']} rule at index {index}"
    return "Count", ""


def _matched(rule: Object, pod: Object) -> str:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    status = pod.get("status") or {}
    for pattern in rule.get("onPodConditions") or ():
        if any(
            c["type"] == pattern["type"] and c["status"] == pattern.get("status", "True")
            for c in status.get("conditions") or ()
        ):
            return f"Pod {name} has condition {pattern['type']}"
    codes = rule.get("onExitCodes")
    for found in (
        (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []) if codes else ()
    ):
        code = (found["state"].get("terminated") or {}).get("exitCode")
        if not code or codes.get("containerName") not in (None, found["name"]):
            continue
        if (code in codes["values"]) is (codes["operator"] == "In"):
            return f"Container {found['name']} for pod {name} failed with exit code {code}"
    return ""


def _holds(job: Object, kind: str) -> bool:
    return any(
        c["type"] == kind and c["status"] == "True" for c in (job.get("status") or {}).get("conditions") or ()
    )
