"""sync-secrets: every secret that the run needs is there, or the run says which is not before anything starts."""

from __future__ import annotations

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.run import Run
from conductor.durable import step
from conductor.ports.secrets import Receipt
from conductor.ports.world import the_world
from conductor.steps.tell import tell


@step("sync-secrets")
async def sync_secrets(run: Run, blueprint: Blueprint) -> Receipt:
    """Return the receipt: names and where each was found, never a value."""
    if not blueprint.secret_consumers:
        return Receipt(keys={})
    receipt = await the_world().secrets.sync(run, blueprint.secret_consumers)
    if receipt.secrets:
        await tell(
            run, Kind.NOTE, key="secrets", text=in_words(receipt), seconds=receipt.waited.total_seconds(),
            dispatches=receipt.dispatches, workflow=receipt.workflow,
        )  # fmt: skip
    return receipt


def in_words(receipt: Receipt) -> str:
    """Say how secrets came to the cluster.

    >>> in_words(Receipt(keys={"A": "GitHub secret A_QA"}, secrets={"web": "web-1"}))
    'secrets: what an earlier sync brought for web is as new as GitHub has it'
    """
    who = ", ".join(receipt.secrets)
    if not receipt.dispatches:
        return f"secrets: what an earlier sync brought for {who} is as new as GitHub has it"
    again = f", started {receipt.dispatches} times" if receipt.dispatches > 1 else ""
    waited = receipt.waited.total_seconds()
    return f"secrets: {len(receipt.keys)} brought for {who} by a workflow on GitHub{again}; waited {waited:.0f} s"
