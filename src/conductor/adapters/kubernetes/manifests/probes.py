"""Health checks as probes, with Compose's times.

A container that turns unhealthy goes on running with Compose: nothing restarts it. So there is no liveness probe, and the startup probe
gives up after years: failures are for Conductor to judge, never for the kubelet to kill. Whole seconds are the shortest times there are.
https://docs.docker.com/reference/dockerfile/#healthcheck
"""

from __future__ import annotations

import math
from datetime import timedelta

from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import Healthcheck, Service

NEVER = 1_000_000_000
"""Failures after which a startup probe gives up: more than thirty years."""


def probes(service: Service) -> Manifest:
    """Make the startup probe, which looks for the first success, and the readiness probe, which looks on."""
    check = service.healthcheck
    if check is None or service.healthcheck_disabled or check.test[:1] in ((), ("NONE",)):
        return {}
    return {
        "startupProbe": _probe(check, until_healthy(check), NEVER),
        "readinessProbe": _probe(check, check.interval, check.retries),
    }


def until_healthy(check: Healthcheck) -> timedelta:
    """Return how often a container is looked at that was never healthy: `start_interval` counts only in a `start_period`."""
    return min(check.start_interval, check.interval) if check.start_period else check.interval


def _probe(check: Healthcheck, every: timedelta, failures: int) -> Manifest:
    shell = check.test[0] == "CMD-SHELL"
    command = ["/bin/sh", "-c", *check.test[1:]] if shell else list(check.test[1:])
    return {
        "exec": {"command": command},
        "periodSeconds": _seconds(every),
        "timeoutSeconds": _seconds(check.timeout),
        "failureThreshold": max(1, failures),
    }


def _seconds(time: timedelta) -> int:
    return max(1, math.ceil(time.total_seconds()))
