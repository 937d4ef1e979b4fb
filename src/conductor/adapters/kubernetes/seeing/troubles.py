"""Why something does not start, ends badly, or is not well: from a pod's statuses and from events to reason words. Pure.

A reason is given as soon as it is certain. What may pass by itself (no room yet, a registry that does not answer) becomes one after
its grace; until then it is only the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.seeing.pod_status import Status, condition, main_container, moment
from conductor.domain.verdict import Fault, Reason

ROOM_GRACE = timedelta(seconds=12)
"""So long a pod may find no node before that is a reason: others may be leaving."""
REGISTRY_GRACE = timedelta(seconds=20)
"""So long a registry may not answer."""
VOLUME_GRACE = timedelta(seconds=20)
"""So long a volume may take to be bound or mounted once something complains."""
COMMAND_CODES = (126, 127)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What is wrong. Without `reason` it is only said."""

    message: str
    reason: Reason | None = None
    fault: Fault | None = None


Events = Sequence[Manifest]


def why_not_started(
    pod: Manifest, statuses: Iterable[Status], events: Events, claims: Mapping[str, Events], now: datetime
) -> Trouble:
    """Say what a pod waits for: a node, a volume, an image, its configuration. `claims` has the events of each claim."""
    for status in statuses:
        waiting = (status.get("state") or {}).get("waiting")
        if waiting and (found := _waiting(status, waiting, pod, events, now)):
            return found
    return (
        _mount_trouble(events, now)
        or _claim_trouble(pod, claims, now)
        or _scheduling_trouble(pod, now)
        or Trouble(message="its container")
    )


def why_not_created(messages: Iterable[str]) -> Trouble | None:
    """Read why the cluster does not make a pod at all: quota and admission say it in events, not in a status."""
    for text in messages:
        lowered = text.lower()
        if "exceeded quota" in lowered or "failed quota" in lowered:
            return Trouble(reason=Reason.QUOTA, fault=Fault.PLATFORM, message=_short(text))
        if "error looking up service account" in lowered or "being terminated" in lowered:
            continue
        if "forbidden" in lowered or "invalid" in lowered or "denied the request" in lowered:
            return Trouble(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=_short(text))
    return None


def why_its_start_failed(events: Events, name: str) -> Trouble | None:
    """Say that a command after a container's start failed. The kubelet ends the container then, which may well answer with exit code 0."""
    for event in _of_reasons(events, ("FailedPostStartHook",)):
        if (event.get("involvedObject") or {}).get("fieldPath") == f"spec.containers{{{name}}}":
            text = "post_start: one of the commands after its start failed"
            return Trouble(reason=Reason.ERROR, fault=Fault.REPOSITORY, message=text)
    return None


def why_ended(pod: Manifest, name: str, ended: Status) -> Trouble:
    """Say why a container ended, where the exit code alone does not."""
    code, word, text = ended.get("exitCode"), str(ended.get("reason") or ""), str(ended.get("message") or "")
    if word == "OOMKilled" and code != 0:
        return Trouble(reason=Reason.OOM_KILLED, message=_memory(pod, name))
    if word in ("StartError", "ContainerCannotRun", "RunContainerError"):
        return start_trouble(text)
    if word == "ContainerStatusUnknown":
        return Trouble(reason=Reason.GONE, fault=Fault.PLATFORM, message=text or "its node lost it")
    if code in COMMAND_CODES:
        return Trouble(reason=Reason.COMMAND_NOT_FOUND, message=f"exit code {code}")
    return Trouble(message=text if word not in ("Error", "Completed") else "")


def start_trouble(text: str) -> Trouble:
    """Read why a container could not be started."""
    lowered = text.lower()
    if any(sign in lowered for sign in _NO_PROGRAM) or ("exec" in lowered and "permission denied" in lowered):
        return Trouble(reason=Reason.COMMAND_NOT_FOUND, fault=Fault.REPOSITORY, message=_program(text))
    if "no space left on device" in lowered:
        return Trouble(reason=Reason.DISK_FULL, fault=Fault.PLATFORM, message=_short(text))
    return Trouble(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=_short(text))


def is_registry_silent(text: str) -> bool:
    """Tell a registry that does not answer, or is busy, from one that says no."""
    lowered = text.lower()
    return any(sign in lowered for sign in _REGISTRY_SILENT)


def used_too_much(text: str) -> bool:
    """Tell an eviction for a pod's own limit of storage from one for the node's sake."""
    return bool(re.search(r"exceed(s|ed) (the|its|the total) .*limit", text))


def first_and_last(event: Manifest) -> tuple[datetime | None, datetime | None]:
    """Return when an event was first and last seen; newer and older writers put that in different places."""
    series = event.get("series") or {}
    made = event["metadata"].get("creationTimestamp")
    first = event.get("firstTimestamp") or event.get("eventTime") or made
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or made
    return moment(first), moment(last)


def is_about(event: Manifest, thing: Manifest) -> bool:
    """Tell whether an event is about exactly this object, and not an earlier one of its name."""
    about = event.get("involvedObject") or {}
    uid = thing["metadata"].get("uid")
    return bool(
        about.get("name") == thing["metadata"]["name"] and (not uid or about.get("uid") in (uid, None))
    )


_NO_PROGRAM = (
    "executable file not found", "no such file or directory", "exec format error", "no command specified",
    "is a directory: unknown", "not a directory: unknown",
)  # fmt: skip
_REGISTRY_SILENT = (
    "no such host", "connection refused", "i/o timeout", "timeout exceeded", "dial tcp", "network is unreachable", "no route to host",
    "tls handshake", "toomanyrequests", "too many requests", "rate limit", "bad gateway", "service unavailable", "temporary failure",
    "unexpected status", "connection reset", "deadline exceeded", "server misbehaving", "unexpected eof",
)  # fmt: skip
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
          "SignatureValidationFailed")  # fmt: skip


def _waiting(status: Status, waiting: Status, pod: Manifest, events: Events, now: datetime) -> Trouble | None:
    word, text = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if word in _IMAGE:
        text = text if '": ' in text or word != "ImagePullBackOff" else _pull_failure(events)
        return _image_trouble(word, text, str(status.get("image") or ""), pod, now)
    if word == "CreateContainerConfigError":
        return _configuration_trouble(text)
    if word in ("CreateContainerError", "RunContainerError"):
        return start_trouble(text)
    return None


def _image_trouble(word: str, text: str, image: str, pod: Manifest, now: datetime) -> Trouble:
    said = f"{image} cannot be pulled: {_short(text) or word}"
    if word == "InvalidImageName":
        said = f"{image} is no name of an image"
    if is_registry_silent(text) or not text:
        is_late = _waited(pod, now) > REGISTRY_GRACE
        return Trouble(reason=Reason.IMAGE_PULL if is_late else None, fault=Fault.PLATFORM, message=said)
    return Trouble(reason=Reason.IMAGE_PULL, fault=Fault.REPOSITORY, message=said)


def _pull_failure(events: Events) -> str:
    """Return the registry's words, where the status says only that another try is due."""
    said = [str(event.get("message") or "") for event in _of_reasons(events, ("Failed",))]
    return next((text for text in reversed(said) if text.startswith("Failed to pull image")), "")


def _configuration_trouble(text: str) -> Trouble:
    """Read what a container's configuration lacks. A key that is not there is a secret that was not synced."""
    lowered = text.lower()
    if "secret" in lowered:
        return Trouble(reason=Reason.SECRET_MISSING, message=_short(text))
    if "configmap" in lowered:
        return Trouble(reason=Reason.CONFIGURATION, fault=Fault.PLATFORM, message=_short(text))
    return Trouble(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=_short(text))


def _mount_trouble(events: Events, now: datetime) -> Trouble | None:
    for event in reversed(_of_reasons(events, ("FailedMount", "FailedAttachVolume", "FailedMapVolume"))):
        text = str(event.get("message") or "")
        missing = re.search(r'(secret|configmap) "[^"]+" not found', text)
        if missing and missing.group(1) == "secret":
            return Trouble(reason=Reason.SECRET_MISSING, message=_short(text))
        if missing:
            return Trouble(reason=Reason.CONFIGURATION, fault=Fault.PLATFORM, message=_short(text))
        return _volume_trouble(text, event, now)
    return None


def _claim_trouble(pod: Manifest, claims: Mapping[str, Events], now: datetime) -> Trouble | None:
    volumes = pod["spec"].get("volumes") or ()
    names = [str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "") for volume in volumes]
    for name in filter(None, names):
        for event in reversed(_of_reasons(claims.get(name, ()), ("ProvisioningFailed", "FailedBinding"))):
            return _volume_trouble(f"volume {name}: {event.get('message') or ''}", event, now)
    return None


def _volume_trouble(text: str, event: Manifest, now: datetime) -> Trouble:
    first, _ = first_and_last(event)
    if first and now - first > VOLUME_GRACE:
        return Trouble(reason=Reason.VOLUME, fault=Fault.PLATFORM, message=_short(text))
    return Trouble(message=_short(text))


def _scheduling_trouble(pod: Manifest, now: datetime) -> Trouble | None:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") not in (
        "Unschedulable",
        "SchedulerError",
    ):
        return None
    text = str(scheduled.get("message") or "no node has room for it")
    since = moment(scheduled.get("lastTransitionTime"))
    if since is None or now - since <= ROOM_GRACE:
        return Trouble(message=_short(text))
    if "persistentvolumeclaim" in text.lower():
        is_late = now - since > VOLUME_GRACE
        return Trouble(reason=Reason.VOLUME if is_late else None, fault=Fault.PLATFORM, message=_short(text))
    return Trouble(reason=Reason.UNSCHEDULABLE, fault=Fault.PLATFORM, message=_short(text))


def _of_reasons(events: Events, reasons: Sequence[str]) -> list[Manifest]:
    return [event for event in events if event.get("reason") in reasons]


def _waited(pod: Manifest, now: datetime) -> timedelta:
    since = moment(condition(pod, "PodScheduled").get("lastTransitionTime"))
    return now - since if since else timedelta(0)


def _memory(pod: Manifest, name: str) -> str:
    limit = ((main_container(pod, name).get("resources") or {}).get("limits") or {}).get("memory")
    if not limit:
        return "out of memory"
    shown = f"{int(limit) / 2**20:.0f} MiB" if str(limit).isdecimal() else limit
    return f"out of memory: the limit is {shown}"


def _program(text: str) -> str:
    found = re.search(r'exec:? \\?"([^"\\]+)\\?"', text)
    return f"{found.group(1)!r} cannot be run in the image" if found else _short(text)


def _short(text: str) -> str:
    return " ".join(text.split())[:600]
