"""A workspace, a test Job and a service, which print hashes of the secrets that they were given, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import timedelta

from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import Phase
from tests.syncing.conftest import Stage

PATIENCE = 90.0
CONSUMERS = {"workspace": ("KEY", "LINES"), "tests": ("KEY",), "backend": ("LINES", "MANY")}
VALUES = {"KEY": 'it\'s $HOME and "quotes"', "LINES": "first\n\nthird\n\n", "MANY": "東京🎉" * 2000}
_PRINTS = """
for name in KEY LINES MANY OTHER; do
  if env | grep -q "^$name="; then eval "printf %s \\"\\$$name\\"" | sha256sum | sed "s/ .*/ $name/"; fi
done
"""


def on_github() -> dict[str, str]:
    """Return the secrets of the repository: those, and one that nobody asks for."""
    return {f"{name}_QA": value for name, value in VALUES.items()} | {"OTHER_QA": "of-nobody"}


async def hashes(stage: Stage, image: str) -> Mapping[str, set[str]]:
    """Run the three beside each other, and return the lines of each."""
    services = {
        name: Service(name=name, image=image, command=("sh", "-c", _PRINTS), secret_keys=keys)
        for name, keys in CONSUMERS.items()
    }
    job = Job(workload=services.pop("tests"), time_limit=timedelta(minutes=2))
    stack = Stack(name="shop", services=tuple(services.values()), networks=())
    for service in services.values():
        await stage.engine.apply(stage.place, stack, service)
    await stage.engine.start_job(stage.place, stack, job)
    async with asyncio.timeout(PATIENCE):
        async for states in stage.engine.watch(stage.place):
            if len(states) == len(CONSUMERS) and all(one.phase is Phase.ENDED for one in states.values()):
                assert {one.exit_code for one in states.values()} == {0}, states
                break
        return {
            name: {line.text async for line in stage.engine.logs(stage.place, name)} for name in CONSUMERS
        }


def expected() -> Mapping[str, set[str]]:
    """Return what each has to print: its own keys and no others."""
    return {
        who: {f"{hashlib.sha256(VALUES[key].encode()).hexdigest()} {key}" for key in keys}
        for who, keys in CONSUMERS.items()
    }
