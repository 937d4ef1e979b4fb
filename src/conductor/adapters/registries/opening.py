"""From settings to a registry."""

from __future__ import annotations

from conductor.adapters.registries.attesting import RegistryAttester
from conductor.adapters.registries.dockerhub import DockerHubRegistry
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.adapters.registries.plain import PlainRegistry
from conductor.adapters.registries.registry_config import RegistryConfig
from conductor.adapters.registries.signing import Signer
from conductor.ports.attestation import SbomGenerator
from conductor.settings import RegistryType

_TYPES: dict[RegistryType, type[PlainRegistry]] = {
    RegistryType.HARBOR: HarborRegistry,
    RegistryType.DOCKERHUB: DockerHubRegistry,
    RegistryType.PLAIN: PlainRegistry,
}


def open_registry(config: RegistryConfig) -> PlainRegistry:
    """Give the registry of a configuration. Nothing is asked yet."""
    return _TYPES[config.type](config)


def open_attester(
    config: RegistryConfig, *, generator: SbomGenerator | None, signer: Signer | None
) -> RegistryAttester:
    """Give what attests images of the registry of a configuration. Nothing is asked yet."""
    return RegistryAttester(config, generator=generator, signer=signer)
