"""Stacks as the Docker API is told of them, without an engine: what `conductor convert --engine docker` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conductor.adapters.docker.containers.facts import EngineFacts
from conductor.adapters.docker.containers.unsupported import unsupported
from conductor.adapters.docker.rendering import rendered
from conductor.domain.account import Entry
from conductor.domain.stack import Job, Stack
from conductor.ports.engine import Place


class DockerRenderer:
    """The pure half of the docker engine, for an engine that can do what Docker can."""

    name = "docker"

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._facts = EngineFacts()

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:
        """List what the Docker API cannot do of what is asked."""
        return unsupported(stack, jobs, facts=self._facts)

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Return every network, volume and container, each with its configuration."""
        return list(rendered(place, stack, jobs, instance=self._instance, facts=self._facts))
