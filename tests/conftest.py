"""Fixtures for every test: the engine of this machine, and an image for it."""

from tests.engines import busybox, engine_state

__all__ = ["busybox", "engine_state"]
