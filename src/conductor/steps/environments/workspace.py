"""create-workspace, await-workspace, seed-workspace: a container, pod or Coder workspace that is up, with the repository in it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path

from conductor.domain.environment import CHECKOUT, WORKSPACE_SERVICE, Environment, WorkspaceKind
from conductor.domain.names import slug
from conductor.domain.states import fault_of
from conductor.domain.verdict import Fault, Reason
from conductor.durable import step
from conductor.errors import RunError
from conductor.ports.workspaces import WorkspacePhase, WorkspaceState, WorkspaceWish
from conductor.ports.world import the_world
from conductor.steps.environments.prepare import Prepared
from conductor.steps.environments.record import record, workspaces_of

_SEEDED = f"{CHECKOUT}/.git/conductor-seeded"
_IDENTITY = 'git config user.name "$1" && git config user.email "$2" && touch .git/conductor-seeded'


@step("create-workspace")
async def create_workspace(environment: Environment, prepared: Prepared) -> None:
    """Have it made. There already: adopted."""
    world = the_world()
    if prepared.secret_keys:
        await world.secrets.recall(environment, {WORKSPACE_SERVICE: prepared.secret_keys})
    wish = WorkspaceWish(
        plan=prepared.plan,
        image=prepared.image,
        secret_keys=prepared.secret_keys,
        hosts=world.workspace.hosts,
    )
    await workspaces_of(world, environment).create(environment, wish)
    await record(environment, image=prepared.image)


@step("await-workspace")
async def await_workspace(environment: Environment) -> WorkspaceState:
    """Return once it is ready. RunError as soon as it is clear that it never will be, or after the time limit."""
    limit = the_world().workspace.ready_within
    last = WorkspaceState(phase=WorkspacePhase.STARTING)
    try:
        async with asyncio.timeout(limit.total_seconds()):
            async with aclosing(workspaces_of(the_world(), environment).follow(environment)) as states:
                async for last in states:
                    await record(environment, message=last.message, links=dict(last.links))
                    if last.phase is WorkspacePhase.READY:
                        return last
                    if last.phase is WorkspacePhase.FAILED:
                        raise _failed(last, last.message or "the workspace failed")
    except TimeoutError:
        pass
    raise _failed(last, f"the workspace was not ready within {limit}: {last.message or last.phase}")


@step("seed-workspace")
async def seed_workspace(environment: Environment) -> None:
    """Put the repository into a plain workspace, once: what was worked on there is never written over. Others clone for themselves."""
    if environment.kind is not WorkspaceKind.PLAIN:
        return
    world = the_world()
    workspaces = workspaces_of(world, environment)
    there = await workspaces.exec(environment, ["test", "-e", _SEEDED], cwd="/")
    if there.exit_code == 0:
        return
    archive = world.evidence.folder(environment.id, environment.attempt) / "seed.tar"
    await asyncio.to_thread(archive.parent.mkdir, parents=True, exist_ok=True)
    await world.forge.seed(environment.source, environment.branch, archive)
    await workspaces.copy_in(environment, CHECKOUT, await asyncio.to_thread(archive.read_bytes))
    address = f"{slug(environment.principal)}@users.noreply.localhost"
    told = await workspaces.exec(
        environment, ["sh", "-c", _IDENTITY, "sh", environment.principal, address], cwd=CHECKOUT
    )
    await asyncio.to_thread(_remove, archive)
    if told.exit_code != 0:
        raise RunError(
            f"the workspace's git failed: {told.stderr.decode(errors='replace')[-300:].strip()}",
            reason=Reason.COMMAND_NOT_FOUND,
            fault=Fault.REPOSITORY,
            remedy="The workspace's image needs git and a shell: build it as deploy/dev-image does.",
        )


def _failed(state: WorkspaceState, message: str) -> RunError:
    reason = Reason(state.reason) if state.reason in {one.value for one in Reason} else Reason.ERROR
    return RunError(
        message,
        reason=reason,
        fault=fault_of(reason),
        remedy="See that the workspace's image can be pulled, and that the engine has room for it.",
    )


def _remove(archive: Path) -> None:
    with suppress(FileNotFoundError):
        archive.unlink()
