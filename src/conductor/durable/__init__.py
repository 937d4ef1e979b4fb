"""Durable execution: workflows that survive a kill at any moment. The only package that knows the library.

What belongs here: `step` and `workflow` (what a function has to be to survive), `start`, `cancel`, `launch` and `resume`, and whose
process is dead. What does not: what any step does.

    @step("clone")                        # persisted under this name; its result is recorded, its failure too
    async def clone(run: Run) -> Checkout: ...

    @workflow("integration-test")
    async def integration_test(run: Run) -> Outcome: ...

    handle = await start(integration_test, run, id=run.workflow_id)
    outcome = await handle.result()

Laws. Arguments of workflows and results of workflows and steps are values of `domain` (or plain data), stored as JSON by their
annotations. Every function runs on the event loop that called `launch`. A step that was done is not done twice; one that was cut off is
done again and must be idempotent. A step's `ConductorError` is recorded and raised again as the same class with the same attributes;
one that says `retryable` is tried again first. The first argument of every step and workflow is the `Run`; each step is written to the
store's `steps` and to its events, with the `subject` where it is done for one of several.

A workflow does the same on every replay: it decides by its arguments and by recorded results, starts its children and steps in a fixed
order, and starts children only outside of steps. Waiting (`result`, `outcome_of`) records nothing, so steps may wait too. A cancelled
workflow runs no clean-up: teardown is a workflow of its own. A shutdown is not an ending: what runs is cut off and waits to be resumed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conductor.durable.room import executor, is_alive, launch, lost_error, shutdown, until_lost
    from conductor.durable.standing import Standing, recorded, status_of
    from conductor.durable.steps import step
    from conductor.durable.takeover import cancel, orphans, resume
    from conductor.durable.workflows import Handle, Workflow, outcome_of, retrieve, start, workflow

__all__ = [
    "Handle",
    "Standing",
    "Workflow",
    "cancel",
    "executor",
    "is_alive",
    "launch",
    "lost_error",
    "orphans",
    "outcome_of",
    "recorded",
    "resume",
    "retrieve",
    "shutdown",
    "start",
    "status_of",
    "step",
    "until_lost",
    "workflow",
]

_ROOMS = {
    **dict.fromkeys(("executor", "is_alive", "launch", "lost_error", "shutdown", "until_lost"), "room"),
    **dict.fromkeys(("Standing", "recorded", "status_of"), "standing"),
    **dict.fromkeys(("step",), "steps"),
    **dict.fromkeys(("cancel", "orphans", "resume"), "takeover"),
    **dict.fromkeys(("Handle", "Workflow", "outcome_of", "retrieve", "start", "workflow"), "workflows"),
}


def __getattr__(name: str) -> Any:
    """Import where a name is first used: the library takes a second, and who only looks at the locks does not need it."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
