"""sync-secrets: every secret that the run needs is there, or the run says which is not before anything starts."""

from __future__ import annotations

from conductor.domain.blueprint import Blueprint
from conductor.domain.run import Run
from conductor.durable import step
from conductor.ports.secrets import Receipt
from conductor.ports.world import the_world


@step("sync-secrets")
async def sync_secrets(run: Run, blueprint: Blueprint) -> Receipt:
    """Return the receipt: names and where each was found, never a value."""
    if not blueprint.secret_consumers:
        return Receipt(keys={})
    return await the_world().secrets.sync(run, blueprint.secret_consumers)
