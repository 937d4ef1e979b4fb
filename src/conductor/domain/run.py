"""A run: one request for a verdict on one commit of one repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from conductor.domain.trigger import Trigger


class Cleanup(StrEnum):
    """What happens to the stack when the verdict is there."""

    KEEP = "keep"
    ON_SUCCESS = "on-success"
    ALWAYS = "always"


class Status(StrEnum):
    """Where a run stands; the verdict says how an ended one ended."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """Its process is gone; `conductor runs resume` goes on with it."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where the code comes from.

    `location` is a folder or a URL that git understands. `ref` is what was asked for (tag, branch or commit; None is the working tree
    of a folder, as it lies there). `commit` is what `ref` stood for when the run was accepted, 40 hex digits; None for a folder that
    is no git repository.
    """

    location: str
    ref: str | None = None
    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    tree: str = ""
    """A fingerprint of a working tree's content; empty where `commit` says it all."""


class Stage(StrEnum):
    """Where a rerun begins; what lies before it is taken over from an earlier attempt."""

    BUILD = "build"
    """Everything anew, at the same commit."""
    STACK = "stack"
    """A new stack of the same images."""
    TESTS = "tests"
    """The tests alone, in the stack that was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """What an attempt takes over. `of` is the attempt whose plan, images and results it goes by."""

    of: int
    stage: Stage
    stack: int | None = None
    """The attempt whose stack it runs in; None: it makes one of its own."""
    failed_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run, as it was asked for. Nothing in it changes; what becomes of it is in its events and its outcome."""

    id: str
    """`<repository>-<six characters>`, such as `shop-k3v9qd`: letters, digits and hyphens, 40 at most."""
    repository: str
    """The name that people know: `owner/name`, or the folder's name."""
    source: Source
    principal: str
    """Who asked: a user of the machine, a token's name, a GitHub login."""
    requested_at: datetime
    environment: str = "qa"
    """Which suffix of secrets: `OPENAI_API_KEY` is taken from `OPENAI_API_KEY_QA`."""
    attempt: int = 1
    cleanup: Cleanup | None = None
    """Overrides the file's; `--no-cleanup` is KEEP."""
    keep_for: timedelta | None = None
    """Overrides the file's lease."""
    env_files: tuple[str, ...] = ()
    """Files outside the repository that hold secrets: paths, never values."""
    variables: tuple[tuple[str, str], ...] = ()
    """`--set NAME=VALUE`: for the interpolation of compose files; recorded, so never secrets."""
    publish: tuple[str, ...] = ()
    """`SERVICE:PORT` or `SERVICE:PORT=HOSTPORT`: ports of services to open on 127.0.0.1."""

    trigger: Trigger | None = None
    """What set it off, where that was a server; None: a command at the desk."""
    rerun: Rerun | None = None
    """Set on an attempt that somebody asked for after the run had ended."""

    @property
    def home(self) -> int:
        """The attempt whose namespace and checkout it uses: its own, or that of the kept stack that it is rerun in."""
        return self.rerun.stack if self.rerun and self.rerun.stack else self.attempt

    @property
    def namespace(self) -> str:
        """The name of the isolated place of this run on its engine."""
        return f"conductor-{self.id}" if self.home == 1 else f"conductor-{self.id}-{self.home}"

    @property
    def workflow_id(self) -> str:
        """The durable name of this attempt."""
        return f"run/{self.id}/{self.attempt}"

    @property
    def teardown_id(self) -> str:
        """The durable name of the end of this attempt, where somebody stops it."""
        return f"teardown/{self.id}/{self.attempt}"

    @property
    def first_attempt(self) -> Run:
        """The attempt that started this one: to go on with it, or to stop it, is to do so with the run. A rerun started itself."""
        return self if self.rerun else replace(self, attempt=1)
