"""Fixtures for every test: the engine of this machine, and an image for it."""

import os

import pytest
from hypothesis import settings

from tests.engines import busybox, engine_state
from tests.postgres import postgres, postgres_server

__all__ = ["busybox", "engine_state", "postgres", "postgres_server"]

for size in ("COLUMNS", "LINES"):  # a terminal's size is the tests' own to say: those who run them have any
    os.environ.pop(size, None)

settings.register_profile("steady", derandomize=True)
settings.register_profile("searching", derandomize=False)
settings.load_profile(os.environ.get("CONDUCTOR_HYPOTHESIS", "steady"))
"""The same examples each time: a verdict on a change is about the change. `CONDUCTOR_HYPOTHESIS=searching` looks for new ones."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what must not run side by side: a machine has one container engine, and a file's tests share what they started."""
    for item in items:
        alone = item.name if item.get_closest_marker("crash") else item.path.stem
        together = "engine" if item.get_closest_marker("engine") else alone
        item.add_marker(pytest.mark.xdist_group(together))
