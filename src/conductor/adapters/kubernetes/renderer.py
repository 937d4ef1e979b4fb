"""Stacks as Kubernetes objects, without a cluster: what `conductor convert` prints, and what the engine applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conductor.adapters.kubernetes.manifests.files import read_files
from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.unsupported import unsupported
from conductor.domain.account import Entry
from conductor.domain.stack import Job, Stack
from conductor.ports.engine import Place


class KubernetesRenderer:
    """The pure half of the kubernetes engine, for one site."""

    name = "kubernetes"

    def __init__(self, site: Site) -> None:
        self.site = site

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:
        """List what Kubernetes cannot do of what is asked."""
        return unsupported(stack, jobs, site=self.site)

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Return every object of the run's namespace, in the order in which they are applied."""
        return render(place, stack, jobs, files=read_files(place.checkout, stack, jobs), site=self.site)
