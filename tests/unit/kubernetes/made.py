"""What is rendered of a few services: the set-up of the tests beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.unit.kubernetes.schemas import errors

from conductor.adapters.kubernetes.manifests.files import File, Files
from conductor.adapters.kubernetes.manifests.render import render
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.unsupported import unsupported
from conductor.domain.stack import Job, Network, Service, Stack, Volume, VolumeMount
from conductor.ports.engine import Place

PLACE = Place(namespace="conductor-shop-k3v9qd", run="shop-k3v9qd")
NEWEST = "1.37"
CONTROLLERS = ("Job", "Deployment", "StatefulSet")


def stack_of(*services: Service) -> Stack:
    volumes = tuple(
        Volume(name=m.volume) for s in services for m in s.mounts if isinstance(m, VolumeMount) and m.volume
    )
    networks = dict.fromkeys(name for service in services for name in service.networks)
    return Stack(
        name="s",
        services=services,
        volumes=tuple({volume.name: volume for volume in volumes}.values()),
        networks=tuple(Network(name=name) for name in networks),
    )


def rendered(
    *services: Service,
    jobs: Sequence[Job] = (),
    site: Site | None = None,
    files: Files | None = None,
    place: Place = PLACE,
    suites: Sequence[Job] = (),
) -> list[Any]:
    """Render services, and see that every object is valid. `suites` are those of the stack, whether among `jobs` or not."""
    mounts = {suite.suite: suite.workload.mounts for suite in suites}
    stack = replace(stack_of(*services), suite_mounts=mounts)
    made = [dict(each) for each in render(place, stack, jobs, files=files, site=site)]
    for manifest in made:
        assert errors(manifest, NEWEST) == [], manifest["kind"]
    return made


def of_kind(made: Sequence[Any], *kinds: str) -> list[Any]:
    return [manifest for manifest in made if manifest["kind"] in kinds]


def named(made: Sequence[Any], kind: str) -> dict[str, Any]:
    return {manifest["metadata"]["name"]: manifest for manifest in of_kind(made, kind)}


def pods(made: Sequence[Any]) -> dict[str, Any]:
    """Return the pod templates by the names of what keeps them."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(made, *CONTROLLERS)}


def pod(service: Service, **arguments: Any) -> Any:
    """Return the pod of one service."""
    return of_kind(rendered(service, **arguments), *CONTROLLERS)[-1]["spec"]["template"]["spec"]


def container(service: Service, **arguments: Any) -> Any:
    return pod(service, **arguments)["containers"][0]


def helpers(service: Service, **arguments: Any) -> dict[str, Any]:
    """Return the init containers of a service's pod, by name."""
    return {each["name"]: each for each in pod(service, **arguments).get("initContainers", [])}


def script(helper: Any) -> str:
    """Return what a helper is told to run."""
    return str(helper["command"][3])


def refused(*services: Service, site: Site | None = None) -> list[str]:
    """Return the places of what Kubernetes does not do."""
    return [entry.path for entry in unsupported(stack_of(*services), site=site)]


def texts(**contents: str) -> Files:
    """Return files of a checkout; `__` in a name stands for `/`, and `_` for `.`."""
    names = {name.replace("__", "/").replace("_", "."): text for name, text in contents.items()}
    return {name: File(content=text.encode()) for name, text in names.items()}
