"""The development image, built for real: what environments are promised is in it, and it runs under Pod Security `restricted`."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.domain.stack import Build
from tests.live.kaniko_builds import MakeWorkshop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
DEV_IMAGE = Path(__file__).parents[2] / "deploy" / "dev-image"
PROMISED = (
    "git",
    "node",
    "npm",
    "yarn",
    "python3",
    "pip3",
    "kubectl",
    "gh",
    "rg",
    "fd",
    "jq",
    "curl",
    "make",
    "tini",
)


async def test_what_an_environment_starts_from_has_what_is_promised(
    make_workshop: MakeWorkshop, debian_mirror: str
):
    workshop = await make_workshop("narrow")
    workshop.write("Dockerfile", (DEV_IMAGE / "Dockerfile").read_text())
    args = {"DEBIAN_MIRROR": debian_mirror, "DEBIAN_SECURITY_MIRROR": f"{debian_mirror}-security"}
    order = await workshop.order(Build(args=args), name="dev")

    made = await workshop.builder.build(order, on_line=workshop.on_line)

    image = workshop.pinned(made)
    missing = f"for one in {' '.join(PROMISED)}; do command -v $one >/dev/null || echo no $one; done"
    script = f"id -u; {missing}; grep -rl {debian_mirror} /etc/apt || true"
    said = workshop.run_pod(image, ["bash", "-c", script], await workshop.registry.pull_credentials())
    assert said.split("\n") == ["1000", ""]
