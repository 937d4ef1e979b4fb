"""sync-environment-secrets: what the workspace gets is there, by name, before there is a workspace."""

from __future__ import annotations

from conductor.domain.environment import WORKSPACE_SERVICE, Environment
from conductor.durable import step
from conductor.ports.secrets import Receipt
from conductor.ports.world import the_world
from conductor.steps.environments.prepare import Prepared
from conductor.steps.environments.record import record


@step("sync-environment-secrets")
async def sync_secrets(environment: Environment, prepared: Prepared) -> Receipt:
    """Return the receipt: names, never a value."""
    if not prepared.secret_keys:
        return Receipt(keys={})
    await record(environment, secrets=prepared.secret_keys)
    return await the_world().secrets.sync(environment, {WORKSPACE_SERVICE: prepared.secret_keys})
