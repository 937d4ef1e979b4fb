"""SBOM and signature of images, where the settings want them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from conductor.bootstrap.engines import site_of

if TYPE_CHECKING:
    from conductor.ports.attestation import Attester, SbomGenerator
    from conductor.settings import Settings


def attester(settings: Settings, opened: AsyncExitStack) -> Attester | None:
    """Make what attests images, which goes with `opened`; None where nothing is wanted. UsageError where the key is none."""
    if settings.registry_type is None or not (settings.sbom or settings.sign_key_file):
        return None
    from conductor.adapters.registries.opening import open_attester
    from conductor.adapters.registries.registry_config import configured
    from conductor.adapters.registries.signing import read_signer

    password = settings.sign_key_password.get_secret_value() if settings.sign_key_password else None
    signer = read_signer(settings.sign_key_file, password) if settings.sign_key_file else None
    generator = _generator(settings, opened) if settings.sbom else None
    made = open_attester(configured(settings), generator=generator, signer=signer)
    opened.push_async_callback(made.aclose)
    return made


def _generator(settings: Settings, opened: AsyncExitStack) -> SbomGenerator | None:
    if settings.engine == "fake":
        return None
    if settings.engine == "kubernetes":
        return _cluster(settings, opened)
    from conductor.adapters.docker.connection.client import Connection
    from conductor.adapters.docker.sboms import SyftContainers, Way

    connection = Connection(state_folder=settings.state, url=settings.docker_host or "")
    opened.push_async_callback(connection.aclose)
    plain = settings.registry_insecure and settings.registry_url.startswith("http://")
    ca = settings.registry_ca_file
    way = Way(
        plain=plain,
        unverified=settings.registry_insecure and not plain,
        ca=ca.read_text(encoding="utf-8") if ca else "",
    )
    return SyftContainers(connection, tool=settings.sbom_image, instance=settings.instance, way=way)


def _cluster(settings: Settings, opened: AsyncExitStack) -> SbomGenerator:
    from conductor.adapters.kubernetes.api.connection import Connection
    from conductor.adapters.kubernetes.kaniko.configuring import configured
    from conductor.adapters.kubernetes.kaniko.sboms import SyftJobs

    connection = Connection(kubeconfig=settings.kubeconfig or "", context=settings.kube_context or "")
    opened.push_async_callback(connection.aclose)
    kaniko = configured(settings)
    return SyftJobs(connection, site=site_of(settings), kaniko=kaniko, tool=settings.sbom_image)
