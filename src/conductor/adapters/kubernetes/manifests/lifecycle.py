"""What is done in a service's container after its start and before its stop: hooks, and a signal of its own to stop it.

A stop signal is sent by the tools from within the container, and the end of the program is awaited there: only then would the kubelet
send its own. The kubelet ends a container also where a hook before its stop fails: then by the service's own signal all the same.
"""

from __future__ import annotations

import shlex

from conductor.adapters.kubernetes.manifests.preparation import TOOLS
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import Hook, SecretText, Service

_SHELL = f"{TOOLS}/busybox"
_STOP = '"$0" kill -{signal} "$main"; while "$0" kill -0 "$main" 2> /dev/null; do "$0" sleep 0.1; done'
_FIRST = "main=1"
_FIRST_OF_ITS_OWN = """\
own=$("$0" cat /proc/self/cgroup); cd /proc
main=$(for n in [0-9]*; do [ "$("$0" cat "$n/cgroup" 2> /dev/null)" != "$own" ] || echo "$n"; done |
  "$0" sort -n | "$0" head -n 1)"""
"""With `init`, the pod's containers see each other's processes: the service's own first one is the oldest of its control group."""


def lifecycle(service: Service) -> Manifest:
    """Make the container's lifecycle; empty where it has none of its own."""
    made: Manifest = {}
    if service.post_start:
        made["postStart"] = _run([_hook(hook) for hook in service.post_start])
    stopping = [_hook(hook) for hook in service.pre_stop]
    if service.stop_signal:
        stopping = [f"{' && '.join(stopping)} || wrong=$?"] if stopping else []
        stopping.append(_FIRST_OF_ITS_OWN if service.init else _FIRST)
        stopping.append(_STOP.format(signal=stop_signal(service.stop_signal)))
        stopping += ["exit ${wrong:-0}"] if service.pre_stop else []
    if stopping:
        made["preStop"] = _run(stopping)
    return {"lifecycle": made} if made else {}


def needs_tools(service: Service) -> bool:
    """Tell whether the tools must be in the service's container."""
    return bool(service.post_start or service.pre_stop or service.stop_signal)


def stop_signal(signal: str) -> str:
    """Return a signal as `kill` takes it.

    >>> stop_signal("SIGQUIT"), stop_signal("2")
    ('QUIT', '2')
    """
    return signal.upper().removeprefix("SIG")


def _run(lines: list[str]) -> Manifest:
    return {"exec": {"command": [_SHELL, "sh", "-c", "\n".join(["set -e", *lines]), _SHELL]}}


def _hook(hook: Hook) -> str:
    """Say one hook, with its folder and variables, without leaving them to the next. Secrets in them were refused."""
    told = {name: value for name, value in hook.environment.items() if not isinstance(value, SecretText)}
    lines = [f"cd {shlex.quote(hook.working_dir)}"] if hook.working_dir else []
    lines += [f"export {name}={shlex.quote(value)}" for name, value in told.items()]
    return f"({' && '.join([*lines, shlex.join(hook.command)])})"
