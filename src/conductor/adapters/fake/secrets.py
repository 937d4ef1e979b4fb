"""Secrets in memory, as tests and demonstrations give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conductor.domain.masking import Masker
from conductor.domain.names import variable_for
from conductor.errors import RunError
from conductor.ports.secrets import Receipt, Wanting


class FakeSecrets:
    """Holds values by their names with suffix (`OPENAI_API_KEY_QA`)."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._synced: dict[str, dict[str, str]] = {}

    async def sync(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> Receipt:
        """Look each one up under the suffix of the environment."""
        names = dict.fromkeys(name for keys in consumers.values() for name in keys)
        variables = {name: variable_for(name, wanting.environment) for name in names}
        missing = [variable for variable in variables.values() if variable not in self._values]
        if missing:
            raise RunError(
                f"secrets that are nowhere: {', '.join(missing)}",
                reason="SecretMissing",
                fault="repository",
                remedy="Set them for this environment.",
            )
        self._synced[wanting.id] = {name: self._values[variable] for name, variable in variables.items()}
        return Receipt(keys={name: f"fake secret {variable}" for name, variable in variables.items()})

    async def recall(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> None:
        """Look them up again."""
        await self.sync(wanting, consumers)

    async def abandon(self, wanting: Wanting) -> None:
        """Nothing is ever under way."""

    def value(self, run_id: str, name: str) -> str:
        """Return a synced value."""
        return self._synced[run_id][name]

    def masker(self, run_id: str) -> Masker:
        """Return what hides this run's values."""
        return Masker(self._synced.get(run_id, {}).values())
