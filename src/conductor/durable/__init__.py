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
"""
