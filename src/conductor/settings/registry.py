"""The registry that images go to, and what their scans decide."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings

from conductor.settings.kinds import RegistryType


class RegistrySettings(BaseSettings):
    """Where images are pushed to and pulled from."""

    registry_keep: int = Field(
        default=50,
        ge=1,
        description="How many test images of each service and suite the registry keeps; older ones go when a stack of their repository is "
        "swept (Harbor, Docker Hub; a plain registry tells no dates).",
    )
    registry_type: RegistryType | None = Field(
        default=None,
        validation_alias=AliasChoices("conductor_registry_type", "registry_type"),
        description="Registry that images are pushed to and pulled from; `plain` is any that speaks the OCI distribution API. Without it "
        "images stay in the container engine. `REGISTRY_TYPE` is read too.",
    )
    registry_url: str = Field(
        default="",
        description="Where the registry is: `https://harbor.example.org`. Not needed for Docker Hub.",
    )
    registry_project: str = Field(
        default="",
        description="Harbor's project (`conductor` where empty), Docker Hub's organisation or user, a plain registry's path (may be "
        "empty).",
    )
    registry_project_per_repository: bool = Field(
        default=False,
        description="Harbor: a project for each repository, its name beginning with `CONDUCTOR_REGISTRY_PROJECT`, so that what a build "
        "holds can push to its own repository only. The account must be allowed to make projects.",
    )
    registry_user: str = Field(
        default="",
        description="Account that pushes, scans and removes; for an organisation's token of Docker Hub the organisation.",
    )
    registry_password: SecretStr | None = Field(default=None, description="Its password, or an access token.")
    registry_pull_user: str = Field(
        default="",
        description="Account that may pull and nothing else: namespaces of runs get it. Empty where everybody may pull.",
    )
    registry_pull_password: SecretStr | None = Field(
        default=None, description="Its password, or an access token for reading."
    )
    registry_insecure: bool = Field(
        default=False,
        description="Speak to the registry without TLS, or with a certificate that nobody checks. For trying out.",
    )
    registry_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that the registry's is checked by, beside the system's."
    )
    registry_scan: bool = Field(
        default=True, description="Have images scanned for vulnerabilities where the registry can (Harbor)."
    )
    scan_fail_on: Literal["", "critical", "high", "medium", "low"] = Field(
        default="",
        description="A run with a test image in which a scan found anything at least that bad does not pass: `critical`, `high`, `medium` "
        "or `low`. Empty for none.",
    )
    sbom: bool = Field(
        default=False,
        description="Have the SBOM of each image that was pushed made and attached to it in the registry (CycloneDX).",
    )
    sbom_image: str = Field(
        default="docker.io/anchore/syft:v1.18.1",
        description="Image of Syft, which makes SBOMs, on the engine.",
    )
    sign_key_file: Path | None = Field(
        default=None,
        description="Private key (PEM, ECDSA P-256: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`) with which "
        "images that were pushed are signed, and their SBOMs; `cosign verify` takes its public half. It does not leave Conductor.",
    )
    sign_key_password: SecretStr | None = Field(
        default=None, description="Password of that key, where it has one."
    )
