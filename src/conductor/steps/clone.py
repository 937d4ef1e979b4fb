"""clone: the tree at the run's commit, in the run's own folder."""

from __future__ import annotations

from conductor.domain.run import Run
from conductor.durable import step
from conductor.steps.place import fetch_checkout


@step("clone")
async def clone(run: Run) -> None:
    """Fetch it by commit; a tag that moved meanwhile takes nothing from this run. Repeated: starts over."""
    await fetch_checkout(run)
