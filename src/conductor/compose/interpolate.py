"""Interpolate every text of a document: values, never keys, as Compose does.

Law: variables come from the project's `.env` and from the caller, never from this process: a run is the same wherever it is made. A
declared secret stays a name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conductor.compose.findings import Findings
from conductor.compose.node import Node, Text
from conductor.compose.template import MissingVariableError, Substitution, TemplateError
from conductor.domain.plan import SecretRequest
from conductor.domain.stack import SecretText


@dataclass(frozen=True, slots=True, eq=False)
class Variables:
    """What can be interpolated. A secret of the plan comes before a value of the same name."""

    values: Mapping[str, Text]
    secrets: Sequence[SecretRequest] = ()
    folder: str | None = None
    """The project's folder as the file sees it: $PWD, unless the caller gives one."""

    def find(self, name: str) -> Text | None:
        """Return the value, a secret's name where it belongs, or None."""
        if any(secret.name == name for secret in self.secrets):
            return SecretText(parts=("", name, ""))
        return self.values.get(name, self.folder if name == "PWD" else None)

    def under(self, defaults: Mapping[str, Text]) -> Variables:
        """Return these, with others for the names that these do not have."""
        return replace(self, values={**defaults, **self.values})

    def seen_from(self, base: str) -> Variables:
        """Return these for a file whose relative paths start from another folder of the checkout."""
        if self.folder is None:
            return self
        return replace(self, folder=posixpath.relpath(self.folder, base))


def interpolate(node: Node, substitution: Substitution, findings: Findings) -> Node:
    """Return the node with every text in it interpolated; one that cannot be stays as it is, and is a finding."""
    if isinstance(node.value, dict):
        entries = node.value.items()
        return node.with_value({key: interpolate(value, substitution, findings) for key, value in entries})
    if isinstance(node.value, list):
        return node.with_value([interpolate(item, substitution, findings) for item in node.value])
    if isinstance(node.value, str) and "$" in node.value:
        return _interpolated(node, substitution, findings)
    return node


def _interpolated(node: Node, substitution: Substitution, findings: Findings) -> Node:
    substitution.unset.clear()
    try:
        made = node.with_value(substitution(node.value))
    except MissingVariableError as error:
        remedy = f"Set {error.name} in .env or with --set {error.name}=..., or declare it under `secrets` in .conductor.yaml."
        findings.mistake(node, str(error), remedy=remedy)
        return node
    except TemplateError as error:
        findings.mistake(node, str(error), remedy="A dollar that is meant as one is written `$$`.")
        return node
    if substitution.unset:
        findings.note(node, f"{', '.join(sorted(substitution.unset))} is not set: taken for empty")
    return made
