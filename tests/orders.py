"""Orders for builders, as a run gives them."""

from pathlib import Path

from conductor.domain.names import LABEL_RUN
from conductor.domain.stack import Build
from conductor.ports.builder import BuildOrder


def an_order(
    key: str, *, checkout: Path | None = None, build: Build | None = None, name: str = "app"
) -> BuildOrder:
    return BuildOrder(
        run="a-run",
        repository="acme/shop",
        name=name,
        build=build or Build(),
        checkout=str(checkout or ""),
        key=key,
        labels={LABEL_RUN: "a-run"},
    )
