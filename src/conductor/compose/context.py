"""What the readers of a service's attributes have to know beside the service itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conductor.compose.findings import Findings, RefusalError
from conductor.compose.interpolate import Variables
from conductor.compose.node import Node, Text
from conductor.compose.project import Loading
from conductor.compose.reader import Checkout
from conductor.compose.values import scalar_text, text
from conductor.domain.plan import SecretRequest
from conductor.domain.stack import SecretText


@dataclass(frozen=True, slots=True)
class Context:
    """The merged project, and what may be asked while it is read."""

    project: Node
    loading: Loading
    variables: Variables
    enabled: frozenset[str]
    """The services that take part: those without profiles, and those of the profiles asked for."""

    @property
    def findings(self) -> Findings:
        """Where mistakes, refusals and notes go."""
        return self.loading.findings

    @property
    def checkout(self) -> Checkout:
        """The repository's files."""
        return self.loading.checkout

    @property
    def secrets(self) -> Sequence[SecretRequest]:
        """The secrets that the plan declares."""
        return self.variables.secrets

    def section(self, name: str) -> dict[str, Node]:
        """Return a section of the project; empty where it is absent or no mapping."""
        found = self.project.get(name)
        return dict(found.items()) if found else {}

    def permitted(self, node: Node, value: Text, service: str) -> Text:
        """Return the text, if every secret in it is for this service. Raises `RefusalError` otherwise."""
        for name in value.names if isinstance(value, SecretText) else ():
            requests = [secret for secret in self.secrets if secret.name == name]
            if not any(request.is_for(service) for request in requests):
                consumers = (
                    ", ".join(who for request in requests for who in request.consumers or ()) or "nobody"
                )
                why, instead = (
                    f"it is only for {consumers}",
                    f"Add `{service}` to its `for` in .conductor.yaml.",
                )
                raise RefusalError(node, f"the secret {name} in {service}", why, instead=instead)
        return value

    def secret_or_text(self, node: Node, service: str) -> Text:
        """Read a value in which secrets of this service may stand."""
        if isinstance(node.value, SecretText):
            return self.permitted(node, node.value, service)
        return scalar_text(node) if isinstance(node.value, bool | int | float) else text(node)
