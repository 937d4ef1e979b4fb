"""`SyncedSecrets`: values go from GitHub to the cluster by a workflow on a runner of its own, and never through this process.

A sync: the runner's account is let into the namespace; the workflow is dispatched and followed; the receipt that it leaves is read, and
each Secret seen to be there; the account is let out. ARC can take minutes and loses jobs: what has not ended in time is dispatched once
more, under names of its own.

Law: a repository's secrets go to its own code alone, as far as its default branch's file and the server's settings allow. A sync that was
begun is noted in the namespace before it is dispatched, so that whoever goes on with the run finds it and begins no second one; what is
there and as new as GitHub has it is not brought again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets as randomness
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from conductor.domain.masking import Masker
from conductor.domain.names import ALPHABET, variable_for
from conductor.domain.states import fault_of
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, NotFoundError, RefusedError, RunError
from conductor.ports.clock import Clock
from conductor.ports.secrets import Receipt, Wanting
from conductor.ports.workflows import (
    MOST_SECRETS,
    SYNC_FILE,
    KnownSecrets,
    WorkflowRun,
    Workflows,
    sync_title,
)
from conductor.ports.writing import Slip, Writing

_TRIES = 2
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUCCESS = "success"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the server's settings decide. A repository may ask for less, never for more."""

    environments: tuple[str, ...] = ("dev", "qa")
    runner: str = "conductor-secrets"
    """The runner scale set that the workflow runs on."""
    patience: timedelta = timedelta(minutes=5)
    """So long one dispatch may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """One sync that is needed: `variables` are the names on GitHub, by the names in the plan."""

    wanting: Wanting
    consumers: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, str]
    environment: str
    key: str

    def secrets(self, writing: Writing, sync: str) -> dict[str, tuple[str, ...]]:
        """Return what is to be made, Secret by Secret."""
        return {writing.secret_name(who, sync): keys for who, keys in self.consumers.items()}


class SyncedSecrets:
    """The secrets of a server's runs and environments."""

    def __init__(
        self, *, workflows: Workflows, writing: Writing, clock: Clock, rules: Rules | None = None
    ) -> None:
        self._workflows = workflows
        self._writing = writing
        self._clock = clock
        self._rules = rules or Rules()

    async def sync(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> Receipt:
        """Have all brought. RunError(SecretMissing) by name, RunError(SecretSyncFailed) where the workflow did not do it."""
        asked = await self._ask(wanting, consumers)
        slips = await self._writing.slips(wanting.namespace)
        for slip in reversed(slips):
            if slip.key == asked.key and await self._is_whole(asked, slip):
                await self._writing.dismiss(wanting.namespace)  # whoever brought it may have died before that
                return self._receipt(asked, slip.sync)
        began = self._clock.now()
        await self._writing.admit(wanting.namespace)
        try:
            sync, run, dispatches = await self._bring(asked, slips)
        except ConductorError:
            with suppress(ConductorError):  # what went wrong first is what is told
                await self._writing.dismiss(wanting.namespace)
            raise
        await self._writing.dismiss(wanting.namespace)
        waited = self._clock.now() - began
        return self._receipt(asked, sync, workflow=run.link, waited=waited, dispatches=dispatches)

    async def recall(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> None:
        """Nothing: no value is ever at hand here, and what was brought is in the namespace."""

    async def abandon(self, wanting: Wanting) -> None:
        """Cancel what is dispatched for that namespace and has left no receipt, and let the runner's account out."""
        slips = await self._writing.slips(wanting.namespace)
        begun = _without_receipt(slips)
        for slip in begun:
            run = await self._found(wanting.repository, slip.sync)
            if run and not run.conclusion:
                await self._workflows.cancel(wanting.repository, run.id)
        if begun:
            await self._writing.dismiss(wanting.namespace)

    def value(self, run_id: str, name: str) -> str:
        """KeyError: this process has no value."""
        raise KeyError(f"{name} of {run_id}")

    def masker(self, run_id: str) -> Masker:
        """Return what hides what looks like a credential: what the values are is not known here."""
        del run_id
        return Masker(())

    async def _ask(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> _Asked:
        names = list(dict.fromkeys(name for keys in consumers.values() for name in keys))
        variables = {name: variable_for(name, wanting.environment) for name in names}
        self._refuse(wanting, variables)
        known = await self._workflows.secrets(wanting.repository, wanting.environment)
        if known and (missing := [one for one in variables.values() if one.upper() not in known.changed]):
            raise _missing(wanting, missing)
        whole = {who: tuple(sorted(keys)) for who, keys in sorted(consumers.items())}
        return _Asked(
            wanting=wanting, consumers=whole, variables=variables, environment=known.environment if known else "",
            key=_key(whole, variables, known),
        )  # fmt: skip

    def _refuse(self, wanting: Wanting, variables: Mapping[str, str]) -> None:
        """Refuse what may have none. The plan that names secrets is that of the code's place: so code from elsewhere gets none."""
        at = self._workflows.repository_at(wanting.source.location)
        if at is None or at.lower() != wanting.repository.lower():
            raise RefusedError(
                f"secrets of GitHub are for code from GitHub: {wanting.source.location} is not {wanting.repository} there",
                remedy="Run a commit of the repository on GitHub, or ask for no secrets.",
            )
        if wanting.environment not in self._rules.environments:
            raise RefusedError(
                f"secrets of the environment {wanting.environment!r} are given to nobody by this server",
                remedy=f"Ask for {' or '.join(self._rules.environments)}, or name it in CONDUCTOR_SECRETS_ENVIRONMENTS.",
            )
        if len(variables) > MOST_SECRETS:
            raise RefusedError(
                f"{len(variables)} secrets are asked for, and one sync brings {MOST_SECRETS} at most",
                remedy="Put several values into one secret, or ask for fewer.",
            )

    async def _bring(self, asked: _Asked, slips: Sequence[Slip]) -> tuple[str, WorkflowRun, int]:
        """Dispatch and follow, once more where that comes to nothing; what an earlier process dispatched is followed first."""
        wanting = asked.wanting
        why = ""
        for number in range(1, _TRIES + 1):
            begun = await self._under_way(asked, slips) if number == 1 else None
            sync, run = begun or await self._start(asked)
            run = await self._followed(wanting.repository, run)
            slip = await self._receipt_of(wanting.namespace, sync)
            if slip and slip.missing:
                raise _missing(wanting, slip.missing)
            if (
                run.conclusion == _SUCCESS
                and slip
                and slip.workflow == run.id
                and await self._is_whole(asked, slip)
            ):
                return sync, run, number
            why = _why(run, slip)
            if not run.conclusion:
                await self._workflows.cancel(wanting.repository, run.id)
        raise RunError(
            f"secrets were not brought to {wanting.namespace}: the workflow {SYNC_FILE} of {wanting.repository} {why} ({run.link})",
            reason=Reason.SECRET_SYNC,
            fault=Fault.PLATFORM,
            remedy=f"Look at that run, and whether a runner of {self._rules.runner!r} takes it: deploy/arc/ has what it needs.",
        )

    async def _under_way(self, asked: _Asked, slips: Sequence[Slip]) -> tuple[str, WorkflowRun] | None:
        for slip in _without_receipt(slips):
            if slip.key == asked.key and (run := await self._found(asked.wanting.repository, slip.sync)):
                return slip.sync, run
        return None

    async def _start(self, asked: _Asked) -> tuple[str, WorkflowRun]:
        sync = sync_name(self._clock.now())
        await self._writing.note(asked.wanting.namespace, sync, asked.key)
        wanted = (
            f"{secret}:{','.join(f'{key}={asked.variables[key]}' for key in keys)}"
            for secret, keys in asked.secrets(self._writing, sync).items()
        )
        inputs = {
            "sync": sync,
            "namespace": asked.wanting.namespace,
            "names": json.dumps(list(asked.variables.values())),
            "wanted": " ".join(wanted),
            "key": asked.key,
            "environment": asked.environment,
            "runner": self._rules.runner,
        }
        run = await self._workflows.dispatch(
            asked.wanting.repository, SYNC_FILE, inputs, title=sync_title(sync)
        )
        return sync, run

    async def _followed(self, repository: str, run: WorkflowRun) -> WorkflowRun:
        try:
            seen = await self._workflows.follow(repository, run.id, patience=self._rules.patience)
        except NotFoundError:  # somebody deleted it
            return WorkflowRun(id=run.id, link=run.link, conclusion="deleted")
        return WorkflowRun(id=run.id, link=run.link or seen.link, conclusion=seen.conclusion)

    async def _found(self, repository: str, sync: str) -> WorkflowRun | None:
        return await self._workflows.find(repository, SYNC_FILE, title=sync_title(sync))

    async def _receipt_of(self, namespace: str, sync: str) -> Slip | None:
        slips = await self._writing.slips(namespace)
        return next((slip for slip in slips if slip.sync == sync and slip.is_receipt), None)

    async def _is_whole(self, asked: _Asked, slip: Slip) -> bool:
        """Tell whether a receipt names exactly what is asked for, and all of it is there."""
        secrets = asked.secrets(self._writing, slip.sync)
        made = {secret: tuple(sorted(keys)) for secret, keys in slip.secrets.items()}
        if not slip.is_receipt or made != secrets:
            return False
        there = (self._writing.has_secret(asked.wanting.namespace, name) for name in secrets)
        return all(await asyncio.gather(*there))

    def _receipt(
        self,
        asked: _Asked,
        sync: str,
        *,
        workflow: str = "",
        waited: timedelta = timedelta(0),
        dispatches: int = 0,
    ) -> Receipt:
        return Receipt(
            keys={name: f"GitHub secret {variable}" for name, variable in asked.variables.items()},
            secrets={who: self._writing.secret_name(who, sync) for who in asked.consumers},
            workflow=workflow,
            waited=waited,
            dispatches=dispatches,
        )  # fmt: skip


def sync_name(now: datetime) -> str:
    """Name a sync: no other has the name, and later ones have greater ones.

    >>> from datetime import UTC
    >>> earlier, later = (sync_name(datetime(2026, 11, 24, second=second, tzinfo=UTC)) for second in (1, 2))
    >>> earlier < later, len(earlier)
    (True, 11)
    """
    number = int(now.timestamp() * 1000)
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits + "".join(randomness.choice(ALPHABET) for _ in range(3))


def _without_receipt(slips: Sequence[Slip]) -> list[Slip]:
    """Return the notes of syncs that came to no end, latest first."""
    done = {slip.sync for slip in slips if slip.is_receipt}
    return [slip for slip in reversed(slips) if slip.sync not in done]


def _key(
    consumers: Mapping[str, tuple[str, ...]], variables: Mapping[str, str], known: KnownSecrets | None
) -> str:
    """Work out the fingerprint of what is wanted, with the time of each secret's last change; where nobody knows that, none fits it."""
    changed = {name: str(known.changed[name.upper()]) for name in variables.values()} if known else None
    of = known.environment if known else randomness.token_hex(16)
    told = json.dumps([consumers, variables, changed, of], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _why(run: WorkflowRun, slip: Slip | None) -> str:
    if not run.conclusion:
        return "did not end in time"
    if run.conclusion != _SUCCESS:
        return f"ended with {run.conclusion!r}"
    return "left no receipt" if slip is None else "made something else than was asked for"


def _missing(wanting: Wanting, variables: Sequence[str]) -> RunError:
    several = len(variables) > 1
    return RunError(
        f"{'secrets are' if several else 'a secret is'} missing on GitHub: {', '.join(variables)} (looked in {wanting.repository}, its "
        f"environment {wanting.environment} and its organisation)",
        reason=Reason.SECRET_MISSING,
        fault=fault_of(Reason.SECRET_MISSING),
        remedy=f"Set {'them' if several else 'it'} in the settings of {wanting.repository}, under Secrets and variables, Actions.",
    )
