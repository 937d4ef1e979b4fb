"""Where a run's things are: its checkout, its place on the engine, its blueprint, its secrets at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import TypeAdapter

from conductor.domain.blueprint import Blueprint
from conductor.domain.masking import Masker
from conductor.domain.run import Run
from conductor.ports.engine import Place
from conductor.ports.world import the_world

BLUEPRINT_FILE = "blueprint.json"
_BLUEPRINT: TypeAdapter[Blueprint] = TypeAdapter(Blueprint)


def checkout_of(run: Run) -> Path:
    """Return the folder of the run's tree; it lives as long as the run's evidence, since stacks mount files from it."""
    return the_world().evidence.folder(run.id, run.home) / "checkout"


def forget_checkout(run_id: str, attempt: int) -> None:
    """Remove the tree once no stack mounts files from it; logs and reports stay."""
    shutil.rmtree(the_world().evidence.folder(run_id, attempt) / "checkout", ignore_errors=True)


def place_of(run: Run) -> Place:
    """Return where the run's stack goes."""
    return Place(
        namespace=run.namespace,
        run=run.id,
        checkout=str(checkout_of(run)),
        publish=run.publish,
        repository=run.repository,
        branch=run.source.branch or "",
    )


async def keep_blueprint(run: Run, blueprint: Blueprint) -> None:
    """Put it among the evidence: what was run, and what a teardown in another process goes by."""
    await the_world().evidence.save(run.id, run.attempt, BLUEPRINT_FILE, _BLUEPRINT.dump_json(blueprint))


def find_blueprint(run: Run) -> Blueprint | None:
    """Return it, or None for a run that never came so far."""
    file = the_world().evidence.folder(run.id, run.attempt) / BLUEPRINT_FILE
    return _BLUEPRINT.validate_json(file.read_bytes()) if file.exists() else None


async def secrets_at_hand(run: Run, blueprint: Blueprint | None) -> Masker:
    """Have the values in this process, which may not be the one that synced them first; return what hides them."""
    world = the_world()
    if blueprint and blueprint.secret_names:
        await world.secrets.sync(run, blueprint.secret_names)
    return world.secrets.masker(run.id)
