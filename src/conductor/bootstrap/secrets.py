"""Secrets, as the settings choose them: found on this machine, or brought to a cluster by a workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.adapters.github.hosting import GitHubHosting
    from conductor.ports.engine import Engine
    from conductor.ports.secrets import Secrets
    from conductor.settings import Settings


def synced(settings: Settings, engine: Engine, github: GitHubHosting | None) -> Secrets:
    """Make those that a workflow brings. ConfigurationError where there is no cluster, or no GitHub."""
    from conductor.adapters.kubernetes.engine import KubernetesEngine
    from conductor.adapters.secrets.synced import Rules, SyncedSecrets
    from conductor.adapters.system.clock import SystemClock
    from conductor.errors import ConfigurationError, Problem

    writing = engine.writing if isinstance(engine, KubernetesEngine) else None
    lacking = {
        "CONDUCTOR_ENGINE": "a workflow brings secrets to a cluster: it has to be kubernetes"
        if writing is None
        else "",
        "CONDUCTOR_GITHUB_APP_ID": "a workflow is dispatched on GitHub, and none is connected"
        if github is None
        else "",
    }
    problems = [
        Problem(file=f"environment variable {name}", message=why) for name, why in lacking.items() if why
    ]
    if writing is None or github is None:
        raise ConfigurationError(
            problems, remedy="Leave CONDUCTOR_SECRETS out, or see docs/howto/sync-secrets.md."
        )
    rules = Rules(
        environments=settings.secrets_environments,
        runner=settings.secrets_runner,
        patience=timedelta(seconds=settings.secrets_timeout_seconds),
    )
    return SyncedSecrets(workflows=github.workflows, writing=writing, clock=SystemClock(), rules=rules)
