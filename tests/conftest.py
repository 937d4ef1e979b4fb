"""Fixtures for every test: the engine of this machine, and an image for it."""

import os

from hypothesis import settings

from tests.engines import busybox, engine_state
from tests.postgres import postgres, postgres_server

__all__ = ["busybox", "engine_state", "postgres", "postgres_server"]

settings.register_profile("steady", derandomize=True)
settings.register_profile("searching", derandomize=False)
settings.load_profile(os.environ.get("CONDUCTOR_HYPOTHESIS", "steady"))
"""The same examples each time: a verdict on a change is about the change. `CONDUCTOR_HYPOTHESIS=searching` looks for new ones."""
