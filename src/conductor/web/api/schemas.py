"""The shapes of the API.

Where a value of the domain says it all, it is the shape: the same JSON as `--json` of the commands, but that durations are ISO 8601. What
is asked for, and what must not be told whole (tokens, deliveries), has a shape of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from conductor.domain.access import Role, Token
from conductor.domain.delivery import Delivery, DeliveryStatus
from conductor.domain.environment import WorkspaceKind
from conductor.domain.event import StepRecord
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage
from conductor.domain.results import Case, SuiteResult
from conductor.domain.run import Cleanup, Stage
from conductor.domain.states import WorkloadState
from conductor.domain.trigger import Priority
from conductor.ports.store import RunRow

T = TypeVar("T")
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds = Annotated[int, Field(ge=1, le=366 * 24 * 3600)]

RUN = "shop-k3v9qd"
COMMIT = "8b7f7c5a2f6d4f0c9e1b3a5d7c9e1f3b5d7f9a1c"


class Body(BaseModel):
    """What is sent: nothing is passed over that nobody knows."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(
        default=None, description="`cursor` of the next page; null where this is the last."
    )


class AskForRun(Body):
    """A run of a commit."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"repository": "acme/shop", "ref": "run-integration-tests-42"}]}
    )

    repository: Name = Field(examples=["acme/shop"])
    ref: Name = Field(description="A tag, a branch, or a commit of 40 digits.", examples=["v1.2", COMMIT])
    location: Name | None = Field(
        default=None,
        description="An address that git understands, where no forge of the server has the repository. Needs the role admin.",
    )
    environment: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")] = "qa"
    cleanup: Cleanup | None = None
    keep_for_seconds: Seconds | None = None
    variables: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")], str] = Field(
        default_factory=dict,
        description="For the interpolation of compose files; recorded, so never secrets.",
        json_schema_extra={"additionalProperties": False},
    )
    priority: Priority = Priority.NORMAL


class AskAgain(Body):
    """Another attempt of a run that has ended."""

    from_stage: Stage = Stage.TESTS
    failed_only: bool = False


class AskForIssue(Body):
    """An issue that somebody wants to work on, or works on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"repository": "acme/shop", "issue": 12}]})

    repository: Name = Field(examples=["acme/shop"])
    issue: Annotated[int, Field(ge=1, le=999_999_999)] = Field(examples=[12])
    keep_for_seconds: Annotated[int, Field(ge=60, le=7 * 24 * 3600)] | None = Field(
        default=None, description="How long the claim lasts; without it as the server's settings say."
    )


class AskForEnvironment(Body):
    """A development environment."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"repository": "acme/shop", "issue": 12}]})

    repository: Name = Field(examples=["acme/shop"])
    issue: Annotated[int, Field(ge=1, le=999_999_999)] | None = Field(default=None, examples=[12])
    branch: Name | None = Field(
        default=None,
        description="The branch of the work; without it named after the issue, or after who asks.",
    )
    base: Name | None = Field(default=None, description="What it begins at; the default branch.")
    environment: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")] = "dev"
    kind: WorkspaceKind | None = None
    keep_for_seconds: Seconds | None = None


class Command(Body):
    """A command in a workspace."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"command": ["npm", "test"]}]})

    command: Annotated[
        list[Annotated[str, StringConstraints(max_length=100_000)]], Field(min_length=1, max_length=1000)
    ]
    stdin: Annotated[str, StringConstraints(max_length=1_000_000)] = ""
    timeout_seconds: Annotated[int, Field(ge=1, le=1800)] = 300
    folder: Annotated[str, StringConstraints(max_length=1000)] = Field(
        default="", description="Where; without it the repository's folder."
    )


class Printed(BaseModel):
    """What a command answered; more than 1 MiB is cut off, and said so."""

    exit_code: int
    stdout: str
    stderr: str


class Push(Body):
    """What goes with the branch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"test": True}]})

    tag: Name | None = None
    test: bool = Field(default=False, description="With the tag that starts a run of the branch.")


class OpenIssue(Body):
    """A new issue of a bare repository."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"repository": "acme/shop", "title": "Prices are rounded the wrong way"}]
        }
    )

    repository: Name = Field(examples=["acme/shop"])
    title: Name
    body: Annotated[str, StringConstraints(max_length=100_000)] = Field(default="", description="Markdown.")
    labels: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^,\x00-\x1f\x7f]{1,50}$")], ...],
        Field(max_length=10),
    ] = ()


class PutInQuarantine(Body):
    """A test whose failures are to decide nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"repository": "acme/shop", "test": "api: cart > adds", "reason": "flaky since the upgrade"}
            ]
        }
    )

    repository: Name = Field(examples=["acme/shop"])
    test: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Field(
        description="As `name`, `class > name` or `suite: class > name`."
    )
    reason: Name
    for_seconds: Seconds | None = Field(
        default=None, description="For so long; null: until somebody releases it."
    )


class Accepted(BaseModel):
    """What a request came to."""

    run: str = Field(examples=[RUN])
    attempt: int = Field(examples=[1])
    is_new: bool = Field(description="False: it joined what was there.")
    href: str = Field(examples=[f"/api/v1/runs/{RUN}"])


class Cancelled(BaseModel):
    """What became of a wish to stop a run."""

    run: str = Field(examples=[RUN])
    begun: bool = Field(description="False: it had ended already.")


class RunDetail(BaseModel):
    """One attempt of a run, with all that is recorded of it. Cases of suites are at `tests`."""

    row: RunRow
    attempts: int
    steps: list[StepRecord]
    results: list[SuiteResult]
    images: list[BuiltImage]
    links: dict[str, str]


class TestCase(BaseModel):
    """A test of a suite."""

    __test__ = False
    suite: str = Field(examples=["tests"])
    case: Case


class Artifact(BaseModel):
    """A file that a run left."""

    name: str = Field(examples=["artifacts/tests/reports/junit.xml"])
    bytes: int = Field(examples=[2048])
    media_type: str = Field(examples=["application/octet-stream"])


class Repository(BaseModel):
    """A repository that has runs."""

    name: str = Field(examples=["acme/shop"])
    runs: int = Field(examples=[12])
    last_requested_at: datetime
    latest: RunRow | None = None


class Stack(BaseModel):
    """What stands: its lease and how its workloads are."""

    namespace: str = Field(examples=[f"conductor-{RUN}"])
    run: str = Field(examples=[RUN])
    lease: Lease | None
    created_at: datetime | None
    addresses: list[str]
    services: dict[str, WorkloadState]


class Extend(Body):
    """So much longer."""

    by_seconds: Seconds = Field(examples=[4 * 3600])


class Release(Body):
    """An end for a stack that was pinned."""

    keep_for_seconds: Seconds = Field(default=3600, examples=[3600])


class Removed(BaseModel):
    """What was removed."""

    things: int


class Waiting(BaseModel):
    """Where a run stands in the queue."""

    run: str = Field(examples=[RUN])
    attempt: int
    repository: str
    branch: str
    position: int = Field(description="From 1; 0 where it is at work.", examples=[2])
    reason: str = Field(description="What it waits for.", examples=["2 of 2 runs are at work"])
    estimate: timedelta | None = Field(description="When it may begin; null where nobody can tell.")
    enqueued_at: datetime
    admitted_at: datetime | None = None


class QueueView(BaseModel):
    """The queue. Runs of repositories that the token does not reach are counted, not shown."""

    draining: bool
    active: list[Waiting]
    waiting: list[Waiting]
    others: int = Field(description="Runs in the queue that are not shown.")


class MakeToken(Body):
    """A token to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "agent-7", "role": "run", "repositories": ["acme/shop"]}]}
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w. @:/+-]+$")]
    role: Role = Role.READ
    repositories: list[Name] = Field(default_factory=list, max_length=100, description="Empty: all.")
    expires_in_seconds: Seconds | None = None


class TokenView(BaseModel):
    """A token, without its secret."""

    id: str = Field(examples=["k3v9qdx2"])
    name: str = Field(examples=["agent-7"])
    role: Role
    repositories: list[str] = Field(description="Empty: all.")
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    is_valid: bool

    @classmethod
    def of(cls, token: Token, now: datetime) -> TokenView:
        """Show a token."""
        return cls(
            id=token.id,
            name=token.name,
            role=token.role,
            repositories=sorted(token.repositories),
            created_at=token.created_at,
            created_by=token.created_by,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
            last_used_at=token.last_used_at,
            is_valid=token.is_valid(now),
        )


class NewToken(BaseModel):
    """A token that was just made: its text is never shown again."""

    token: TokenView
    text: str = Field(examples=["cdr_k3v9qdx2_..."])


class Me(BaseModel):
    """Who asks."""

    principal: str = Field(examples=["token:agent-7"])
    role: Role
    repositories: list[str] = Field(description="Empty: all.")
    expires_at: datetime | None


class DeliveryView(BaseModel):
    """A delivery, without its body."""

    id: str
    hosting: str
    event: str
    received_at: datetime
    status: DeliveryStatus
    tries: int
    due_at: datetime | None
    note: str
    run: str
    attempt: int

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        """Show a delivery."""
        shown = {name: getattr(delivery, name) for name in cls.model_fields}
        return cls.model_validate(shown)


class Setting(BaseModel):
    """A setting of the server. The value of a secret is never told."""

    name: str = Field(examples=["CONDUCTOR_MAX_RUNS"])
    value: Any = Field(description="Null where it is a secret or not set.")
    is_set: bool
    is_secret: bool
    description: str


Links = Mapping[str, str]
