"""A repository in a temporary folder, written as text and loaded as Conductor does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent, indent

import pytest

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout
from conductor.domain.plan import SecretRequest
from conductor.domain.stack import Service


class Repository:
    """Files, and what loading them gives."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **files: str) -> None:
        """Write files; `__` in a name stands for `/`, `_` for `.`: `deploy__compose_yaml`."""
        for name, text in files.items():
            self.file(name.replace("__", "/").replace("_", "."), text)

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def load(
        self,
        *files: str,
        profiles: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        secrets: Sequence[SecretRequest] = (),
    ) -> Loaded:
        named = files or ("compose.yaml",)
        return examine(
            Checkout(self.root), named, profiles=profiles, variables=variables, secrets=secrets, name="shop"
        )

    def loaded(self, text: str, **arguments: object) -> Loaded:
        """Load one compose file."""
        self.file("compose.yaml", text)
        return self.load(**arguments)

    def service(self, attributes: str, rest: str = "", **arguments: object) -> Service:
        """Load a compose file with one service, `web`, of these attributes; nothing may be wrong with it."""
        loaded = self.loaded(one_service(attributes, rest), **arguments)
        assert not loaded.problems, "\n".join(map(str, loaded.problems))
        return loaded.stack.service("web")

    def problems(self, attributes: str, rest: str = "", **arguments: object) -> list[str]:
        """Return what is wrong with one service, `web`, of these attributes."""
        return [str(problem) for problem in self.loaded(one_service(attributes, rest), **arguments).problems]


def one_service(attributes: str, rest: str = "") -> str:
    attributes = dedent(attributes).strip()
    image = "" if "image:" in attributes or "build:" in attributes else "image: app\n"
    return "services:\n  web:\n" + indent(image + attributes, "    ") + "\n" + rest


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)
