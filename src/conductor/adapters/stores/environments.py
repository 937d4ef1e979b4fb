"""`SqlEnvironments`: development environments. A unique key decides between those who ask for the same one at the same time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import environments
from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.errors import ConflictError, UsageError
from conductor.ports.environments import EnvironmentRow

_TURNS = 10
"""One may end between two looks at it: so often it is tried again."""


class SqlEnvironments:
    """Environments on the database of a store: `SqlEnvironments(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def request(self, environment: Environment) -> EnvironmentRow:
        """Record it as REQUESTED, or return the one that has its key and is not over. One with the same id changes nothing."""
        return await self._database.write(
            "recording an environment", partial(self._request, environment=environment)
        )

    async def find(self, name: str) -> EnvironmentRow | None:
        """Return it by its id, or an unambiguous beginning of it. UsageError where it could be several."""
        query = select(environments).where(environments.c.id.startswith(clean(name), autoescape=True))
        found = [_row(row) for row in await self._database.all("looking for an environment", query.limit(10))]
        exact = [row for row in found if row.environment.id == name]
        if exact or len(found) == 1:
            return (exact or found)[0]
        if found and name:
            could_be = ", ".join(sorted(row.environment.id for row in found))
            raise UsageError(f"{name!r} could be {could_be}", remedy="Name it in full.")
        return None

    async def list_environments(
        self,
        *,
        repositories: Collection[str] | None = None,
        statuses: Collection[EnvironmentStatus] | None = None,
        limit: int = 100,
    ) -> Sequence[EnvironmentRow]:
        """Return them, latest first; of these repositories, in any case."""
        query = select(environments).order_by(environments.c.requested_at.desc(), environments.c.id)
        if repositories is not None:
            query = query.where(environments.c.repository.in_([clean(name.lower()) for name in repositories]))
        if statuses is not None:
            query = query.where(environments.c.status.in_([str(status) for status in statuses]))
        return [_row(row) for row in await self._database.all("listing environments", query.limit(limit))]

    async def set_state(
        self, environment: Environment, state: EnvironmentState, *, executor: str = ""
    ) -> None:
        """Record where it stands; an ending frees its key. What is over stays over: a late write changes nothing."""
        values: dict[str, Any] = {"status": str(state.status), "state": state}
        if executor:
            values["executor"] = executor
        if state.status.is_over:
            values["active_key"] = None
        changed = (
            update(environments)
            .where(environments.c.id == environment.id, environments.c.active_key.is_not(None))
            .values(values)
        )
        await self._database.write(
            "recording an environment's state", lambda connection: connection.execute(changed).close()
        )

    def _request(self, connection: Connection, *, environment: Environment) -> EnvironmentRow:
        inserting = self._database.insert(environments).values(_values(environment)).on_conflict_do_nothing()
        wanted = (environments.c.id == environment.id) | (environments.c.active_key == clean(environment.key))
        for _ in range(_TURNS):
            connection.execute(inserting).close()
            found = connection.execute(select(environments).where(wanted)).first()
            if found is not None:
                return _row(found)
        raise ConflictError(
            "environments of that name begin and end all the time", remedy="Ask for one again."
        )


def _values(environment: Environment) -> dict[str, Any]:
    return {
        "id": environment.id,
        "active_key": clean(environment.key),
        "repository": clean(environment.repository.lower()),
        "principal": clean(environment.principal),
        "status": str(EnvironmentStatus.REQUESTED),
        "requested_at": environment.requested_at,
        "environment": environment,
        "state": EnvironmentState(),
    }


def _row(row: Row[Any]) -> EnvironmentRow:
    return EnvironmentRow(environment=row.environment, state=row.state, executor=row.executor)
