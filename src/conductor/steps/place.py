"""Where a run's things are: its checkout, its place on the engine, its blueprint, its secrets at hand.

Law: a run may go on in a process that never saw its folder. What a step needs of it is brought back: the tree from the forge, at the
commit of the run; the blueprint from the record of the step that drew it up.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from pydantic import TypeAdapter

from conductor import durable
from conductor.domain.blueprint import Blueprint
from conductor.domain.masking import Masker
from conductor.domain.run import Run
from conductor.ports.engine import Place
from conductor.ports.world import the_world

BLUEPRINT_FILE = "blueprint.json"
DRAWN_UP_BY = ("read-plan", "take-over")
"""The steps whose result is the blueprint."""
_BLUEPRINT: TypeAdapter[Blueprint] = TypeAdapter(Blueprint)


def checkout_of(run: Run) -> Path:
    """Return the folder of the run's tree; it lives as long as the run's evidence, since stacks mount files from it."""
    return the_world().evidence.folder(run.id, run.home) / "checkout"


async def checkout_at_hand(run: Run) -> Path:
    """Return that folder with the tree in it, fetched again where another machine has it. RunError where that cannot be."""
    tree = checkout_of(run)
    async with _arriving.setdefault(tree, asyncio.Lock()):
        if not tree.exists():
            await fetch_checkout(run)
    return tree


async def fetch_checkout(run: Run) -> None:
    """Put the tree at the run's commit in its folder, in place of what is there: whole or not at all."""
    tree = checkout_of(run)
    unfinished = _unfinished(tree)
    try:
        await the_world().forge.clone(run.source, unfinished)
        await asyncio.to_thread(_replace, unfinished, tree)
    finally:
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)


async def copy_checkout(earlier: Run, run: Run) -> None:
    """Give the run the tree of an earlier attempt, whole or not at all."""
    source, tree = await checkout_at_hand(earlier), checkout_of(run)
    unfinished = _unfinished(tree)
    try:
        await asyncio.to_thread(shutil.copytree, source, unfinished, symlinks=True)
        await asyncio.to_thread(_replace, unfinished, tree)
    finally:
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)


_arriving: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
"""Steps that need the same tree at the same time fetch it once."""


def _unfinished(tree: Path) -> Path:
    scratch = tree.parent / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    return scratch / f"{tree.name}-{secrets.token_hex(4)}"


def _replace(arrived: Path, tree: Path) -> None:
    """Move it into its place; a tree that is there goes first."""
    arrived.mkdir(parents=True, exist_ok=True)  # a commit without a file is a tree too
    shutil.rmtree(tree, ignore_errors=True)
    with suppress(FileExistsError):
        arrived.rename(tree)


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
        environment=run.environment,
    )


async def keep_blueprint(run: Run, blueprint: Blueprint) -> None:
    """Put it among the evidence: what was run, and what a teardown in another process goes by."""
    await the_world().evidence.save(run.id, run.attempt, BLUEPRINT_FILE, _BLUEPRINT.dump_json(blueprint))


async def find_blueprint(run: Run) -> Blueprint | None:
    """Return it, or None for a run that never came so far. Where another machine has the file it is read from its step's record."""
    file = the_world().evidence.folder(run.id, run.attempt) / BLUEPRINT_FILE
    if file.exists():
        return _BLUEPRINT.validate_json(file.read_bytes())
    found = await durable.recorded(run.workflow_id, DRAWN_UP_BY, Blueprint)
    return found if isinstance(found, Blueprint) else None


async def secrets_at_hand(run: Run, blueprint: Blueprint | None) -> Masker:
    """Have the values in this process, which may not be the one that synced them first; return what hides them."""
    world = the_world()
    if blueprint and blueprint.secret_consumers:
        await world.secrets.recall(run, blueprint.secret_consumers)
    return world.secrets.masker(run.id)
