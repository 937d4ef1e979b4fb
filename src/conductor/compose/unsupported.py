"""What Compose does and Conductor does not: a closed list, each with the reason and with what to do instead.

Law: a difference that would change what the stack does is a refusal, with the line; what changes nothing is carried with a note. Nothing
is dropped in silence. `docs/reference/compose.md` is the same list for users, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from conductor.compose.findings import Findings
from conductor.compose.node import Node
from conductor.compose.schema import place_of


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why, and what to do instead. Values in `harmless` (as text, in lower case) are carried; `*` in one stands for any text."""

    why: str
    instead: str
    harmless: tuple[str, ...] = ()

    def applies(self, node: Node) -> bool:
        """Tell whether the value asks for what is refused."""
        if node.value is None or node.value in ([], {}):
            return False
        written = str(node.value).lower()
        return not any(fnmatchcase(written, pattern) for pattern in self.harmless)


_HOST = "it would reach the machine that the engine runs on"
_TUNING = "engines differ in it, and the same file must mean the same on each"
_DEVICES = "devices of the machine are not given to runs"
_CHOSEN = "the engine chooses how addresses are given"
_FIXED = "runs stand beside each other, and a fixed address or name would be there twice"
_SWARM_JOB = "only Docker Swarm has jobs"
_BUILDER = "not every builder that Conductor works with can do it"
_LEAVE_OUT = "Leave it out."
_NAMES = "Use the names of the services."
_LIMITS = "Use `cpus` and `mem_limit`, or `deploy.resources`."

REFUSALS: Mapping[str, Refusal] = {
    **{
        f"services.*.blkio_config.{key}": Refusal(_DEVICES, "Use `weight`.")
        for key in (
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops",
            "weight_device",
        )
    },
    "services.*.cgroup": Refusal(_HOST, _LEAVE_OUT, ("private",)),
    "services.*.cgroup_parent": Refusal(_HOST, _LEAVE_OUT),
    "services.*.cpu_count": Refusal("it is for Windows containers", _LIMITS),
    "services.*.cpu_percent": Refusal("it is for Windows containers", _LIMITS),
    "services.*.cpu_rt_period": Refusal(_TUNING, _LIMITS),
    "services.*.cpu_rt_runtime": Refusal(_TUNING, _LIMITS),
    "services.*.credential_spec": Refusal("it is for Windows containers", _LEAVE_OUT),
    "services.*.deploy.resources.reservations.devices": Refusal(_DEVICES, _LEAVE_OUT),
    "services.*.deploy.resources.reservations.generic_resources": Refusal(
        "it is for Docker Swarm", _LEAVE_OUT
    ),
    "services.*.deploy.mode": Refusal(
        _SWARM_JOB, "Leave `restart` out: what ends is seen.", ("replicated", "global")
    ),
    "services.*.device_cgroup_rules": Refusal(_DEVICES, _LEAVE_OUT),
    "services.*.devices": Refusal(_DEVICES, "Use a stand-in for the device."),
    "services.*.external_links": Refusal(
        "a run sees only its own services", "Add the other container as a service."
    ),
    "services.*.gpus": Refusal(_DEVICES, _LEAVE_OUT),
    "services.*.ipc": Refusal(
        "memory would be shared with what is not of the run",
        _LEAVE_OUT,
        ("private", "shareable", "service:*"),
    ),
    "services.*.isolation": Refusal("it is for Windows containers", _LEAVE_OUT, ("default",)),
    "services.*.logging.driver": Refusal(
        "logs of every service are captured by Conductor and sent nowhere else",
        "Leave it out.",
        ("json-file", "local", "journald", "none"),
    ),
    "services.*.models": Refusal(
        "engines of Conductor run no AI models", "Add a service that serves the model."
    ),
    "services.*.network_mode": Refusal(
        "networks of the machine and of other containers are not the run's",
        "Leave it out: services reach each other by name on every port.",
        ("none", "bridge", "default", "service:*"),
    ),
    "services.*.networks.*.driver_opts": Refusal(_TUNING, _LEAVE_OUT),
    "services.*.networks.*.gw_priority": Refusal(_TUNING, _LEAVE_OUT),
    "services.*.networks.*.interface_name": Refusal(_TUNING, _LEAVE_OUT),
    "services.*.networks.*.ipv4_address": Refusal(_FIXED, _NAMES),
    "services.*.networks.*.ipv6_address": Refusal(_FIXED, _NAMES),
    "services.*.networks.*.link_local_ips": Refusal(_FIXED, _NAMES),
    "services.*.oom_kill_disable": Refusal(_HOST, _LEAVE_OUT, ("false",)),
    "services.*.pid": Refusal("processes of the machine would be seen", _LEAVE_OUT, ("service:*",)),
    "services.*.pre_start": Refusal(
        "not every engine can run a hook before a container", "Do it in the entrypoint."
    ),
    "services.*.post_start[].privileged": Refusal(_HOST, _LEAVE_OUT, ("false",)),
    "services.*.pre_stop[].privileged": Refusal(_HOST, _LEAVE_OUT, ("false",)),
    "services.*.privileged": Refusal(_HOST, "Leave it out; `cap_add` gives single capabilities.", ("false",)),
    "services.*.provider": Refusal("it would run a program on the machine", "Add the thing as a service."),
    "services.*.runtime": Refusal("the engine's owner chooses the runtime", _LEAVE_OUT, ("runc",)),
    "services.*.storage_opt": Refusal(_TUNING, _LEAVE_OUT),
    "services.*.use_api_socket": Refusal(
        "it gives the engine's socket to the container", _LEAVE_OUT, ("false",)
    ),
    "services.*.userns_mode": Refusal(_HOST, _LEAVE_OUT),
    "services.*.uts": Refusal(_HOST, _LEAVE_OUT),
    "services.*.volumes[].image": Refusal(
        "not every engine can mount an image", "Copy the files into the image with a build."
    ),
    "services.*.volumes[].bind.propagation": Refusal(_HOST, _LEAVE_OUT, ("rprivate", "private")),
    "services.*.volumes[].bind.recursive": Refusal(_TUNING, _LEAVE_OUT, ("enabled",)),
    "services.*.build.additional_contexts": Refusal(
        _BUILDER, "Use one context, or a stage of the Dockerfile."
    ),
    "services.*.build.entitlements": Refusal(_HOST, _LEAVE_OUT),
    "services.*.build.extra_hosts": Refusal(_BUILDER, _LEAVE_OUT),
    "services.*.build.isolation": Refusal("it is for Windows containers", _LEAVE_OUT, ("default",)),
    "services.*.build.network": Refusal(
        "a build must not reach the machine's network or another container's",
        _LEAVE_OUT,
        ("", "default", "none"),
    ),
    "services.*.build.privileged": Refusal(_HOST, _LEAVE_OUT, ("false",)),
    "services.*.build.provenance": Refusal(_BUILDER, _LEAVE_OUT, ("false",)),
    "services.*.build.sbom": Refusal(_BUILDER, _LEAVE_OUT, ("false",)),
    "services.*.build.secrets": Refusal(
        "what a build reads, its RUN lines can keep in the image",
        "Give the secret to the service when it runs.",
    ),
    "services.*.build.ssh": Refusal(
        "a build gets no key of the machine", "Fetch what needs a key before the build."
    ),
    "services.*.build.ulimits": Refusal(_BUILDER, _LEAVE_OUT),
    "networks.*.driver": Refusal(
        "the engine chooses how the run's network is made", _LEAVE_OUT, ("bridge", "default", "overlay")
    ),
    "networks.*.driver_opts": Refusal(_TUNING, _LEAVE_OUT),
    "networks.*.enable_ipv4": Refusal(_TUNING, _LEAVE_OUT, ("true",)),
    "networks.*.ipam.driver": Refusal(_CHOSEN, _LEAVE_OUT, ("default",)),
    "networks.*.ipam.options": Refusal(_CHOSEN, _LEAVE_OUT),
    "volumes.*.driver": Refusal("volumes of a run live and die with it", _LEAVE_OUT, ("local", "default")),
    "volumes.*.driver_opts": Refusal("it would mount something of the machine or of its network", _LEAVE_OUT),
    "volumes.*.external": Refusal(
        "what is in it is not in the repository",
        "Declare it without `external`: it is made for each run, empty.",
        ("false",),
    ),
    "configs.*.external": Refusal(
        "a run sees only its own configs", "Give it a `file` or `content`.", ("false",)
    ),
    "configs.*.template_driver": Refusal("it is for Docker Swarm", _LEAVE_OUT),
    "secrets.*.driver": Refusal("it is for Docker Swarm", _LEAVE_OUT),
    "secrets.*.driver_opts": Refusal("it is for Docker Swarm", _LEAVE_OUT),
    "secrets.*.external": Refusal(
        "a run sees only its own secrets",
        "Use `environment: NAME`, and declare NAME in .conductor.yaml.",
        ("false",),
    ),
    "secrets.*.template_driver": Refusal("it is for Docker Swarm", _LEAVE_OUT),
    "models": Refusal("engines of Conductor run no AI models", "Add a service that serves the model."),
}

_SWARM = "only Docker Swarm reads it: no effect with Compose, and none here"
_ADDRESSES = "the engine chooses the addresses of each run: names stand for them"
_SHOWN = "names are the run's own, so that runs can stand beside each other"

NOTES: Mapping[str, str] = {
    "name": "the run gives the stack its name",
    "version": "Compose ignores it",
    "services.*.attach": "logs of every service are captured",
    "services.*.container_name": "one more DNS name: runs never share a container's name",
    "services.*.develop": "only `docker compose watch` reads it",
    "services.*.deploy.endpoint_mode": _SWARM,
    "services.*.deploy.labels": _SWARM,
    "services.*.deploy.mode": _SWARM,
    "services.*.deploy.placement": _SWARM,
    "services.*.deploy.rollback_config": _SWARM,
    "services.*.deploy.update_config": _SWARM,
    "services.*.deploy.restart_policy.delay": _SWARM,
    "services.*.deploy.restart_policy.window": _SWARM,
    "services.*.extends": "its attributes are in the service",
    "services.*.logging": "logs of every service are captured by Conductor, wherever it runs",
    "services.*.logging.options": "logs of every service are captured by Conductor, wherever it runs",
    "services.*.networks.*.priority": "only the order of joining the networks",
    "services.*.ports[].app_protocol": "a remark for proxies",
    "services.*.ports[].host_ip": "ports are opened on the machine only on request",
    "services.*.ports[].mode": _SWARM,
    "services.*.ports[].published": "ports are opened on the machine only on request",
    "services.*.pre_stop": "where it fails, the service goes on running, as with Compose; on Kubernetes it ends all the same",
    "services.*.pull_refresh_after": "it is pulled each time, and so is never older",
    "services.*.volumes[].consistency": "Compose ignores it",
    "services.*.volumes[].bind.selinux": "the engine labels what it mounts",
    "services.*.volumes[].volume.labels": "an anonymous volume lives and dies with its run",
    "services.*.build.cache_from": "Conductor keeps its own cache of images",
    "services.*.build.cache_to": "Conductor keeps its own cache of images",
    "services.*.build.tags": "images are named by what is in them",
    "networks.*.attachable": _SWARM,
    "networks.*.external": "a network of the run's own: only services of this stack are on it",
    "networks.*.ipam": _ADDRESSES,
    "networks.*.ipam.config": _ADDRESSES,
    "networks.*.labels": "a network lives and dies with its run",
    "networks.*.name": _SHOWN,
    "volumes.*.name": _SHOWN,
    "configs.*.labels": _SWARM,
    "configs.*.name": _SWARM,
    "secrets.*.labels": _SWARM,
    "secrets.*.name": _SWARM,
}

COMPOSE_IGNORES_IT = frozenset({_SWARM, "Compose ignores it", "Compose ignores it for files"})
"""Notes on what has no effect with Compose either."""

Shown = Callable[[str], bool]


def refuse_unsupported(
    node: Node, findings: Findings, *, skip: Shown, place: str = "", path: str = ""
) -> None:
    """Walk what was merged and record every refusal and note. `skip` tells which dotted places take no part in this run."""
    refusal = REFUSALS.get(place)
    if refusal and refusal.applies(node):
        what = f"`{path.rsplit('.', 1)[-1]}`"
        findings.refuse(node, what, refusal.why, instead=refusal.instead)
        return
    if place in NOTES:
        findings.note(node, NOTES[place])
    if isinstance(node.value, list):
        for item in node.value:
            refuse_unsupported(item, findings, skip=skip, place=f"{place}[]", path=path)
    for key, value in node.items():
        below = f"{path}.{key}".removeprefix(".")
        if not skip(below):
            refuse_unsupported(value, findings, skip=skip, place=place_of(place, key), path=below)
