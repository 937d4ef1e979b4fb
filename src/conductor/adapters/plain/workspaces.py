"""`PlainWorkspaces`: a workspace without any other system, on whatever engine there is.

It is one service of one stack: the prebuilt image, kept alive by a shell that waits. What has to outlive a sleep (the repository, the home
folder) is on a volume that goes with the namespace. It holds no credential of the forge: what is pushed is taken out and pushed from here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from conductor.domain.environment import CHECKOUT, WORKSPACE_SERVICE, Environment, WorkspaceKind
from conductor.domain.report import LogLine
from conductor.domain.stack import Resources, Restart, Service, Stack, Volume, VolumeMount
from conductor.domain.states import Hopeless, Phase, Ready, States, Waiting, readiness
from conductor.errors import NotFoundError
from conductor.ports.engine import Diagnosis, Engine, ExecResult, Place
from conductor.ports.workspaces import WorkspacePhase, WorkspaceState, WorkspaceWish

_VOLUME = "workspace"
_ROOT = "/workspace"
_HOME = f"{_ROOT}/home"
_WAIT = (
    f"mkdir -p {_HOME} {CHECKOUT} || exit 1; trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"
)
_IN_FOLDER = 'cd "$1" && shift && exec "$@"'
_GRACE = timedelta(seconds=5)


class PlainWorkspaces:
    """Workspaces of one engine. `resources` are every workspace's."""

    kind = WorkspaceKind.PLAIN

    def __init__(self, engine: Engine, *, resources: Resources | None = None) -> None:
        self._engine = engine
        self._resources = resources or Resources()

    async def create(self, environment: Environment, wish: WorkspaceWish) -> None:
        """Make it in the environment's namespace. There already: adopted."""
        stack = stack_of(environment, wish, self._resources)
        for service in stack.services:
            await self._engine.apply(_place(environment), stack, service)

    async def follow(self, environment: Environment) -> AsyncGenerator[WorkspaceState]:
        """Yield how it stands, first at once, then whenever that changes."""
        told: WorkspaceState | None = None
        async with aclosing(self._engine.watch(_place(environment))) as watch:
            async for states in watch:
                state = _read(states)
                if state != told:
                    told = state
                    yield state

    async def state(self, environment: Environment) -> WorkspaceState:
        """Return how it stands now."""
        return _read(await self._engine.states(_place(environment)))

    async def exec(
        self,
        environment: Environment,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
        cwd: str = "",
    ) -> ExecResult:
        """Run a command in it, in `cwd` or the repository's folder."""
        inside = ("sh", "-c", _IN_FOLDER, "sh", cwd or CHECKOUT, *command)
        return await self._engine.exec(
            _place(environment), WORKSPACE_SERVICE, inside, stdin=stdin, timeout=timeout
        )

    async def copy_in(self, environment: Environment, path: str, archive: bytes) -> None:
        """Unpack a tar archive at `path`."""
        await self._engine.copy_in(_place(environment), WORKSPACE_SERVICE, path, archive)

    def copy_out(self, environment: Environment, path: str) -> AsyncGenerator[bytes]:
        """Yield a tar archive of `path`."""
        return self._engine.copy_out(_place(environment), WORKSPACE_SERVICE, path)

    def logs(
        self, environment: Environment, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine]:
        """Yield what its container wrote."""
        return self._engine.logs(_place(environment), WORKSPACE_SERVICE, since=since, follow=follow)

    async def sleep(self, environment: Environment) -> None:
        """Stop it and keep what it holds."""
        await self._engine.sleep(_place(environment))

    async def wake(self, environment: Environment) -> None:
        """Start it again."""
        states = await self._engine.states(_place(environment))
        if not states:
            raise NotFoundError(
                f"the workspace of {environment.id} is gone",
                remedy="Release the environment; ask for a new one.",
            )
        for name in states:
            await self._engine.wake(_place(environment), name)

    async def delete(self, environment: Environment) -> None:
        """Stop it: all that it is goes with its namespace."""
        await self._engine.stop(_place(environment), WORKSPACE_SERVICE, grace=_GRACE)

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Nothing to look at besides the engine, which looks at itself."""
        return ()

    async def aclose(self) -> None:
        """Nothing is held here: the engine is its owner's."""


def stack_of(environment: Environment, wish: WorkspaceWish, resources: Resources | None = None) -> Stack:
    """Say what the engine is told. Pure."""
    return Stack(
        name=environment.id,
        services=(_service(environment, wish, resources or Resources()),),
        volumes=(Volume(name=_VOLUME),),
    )


def _service(environment: Environment, wish: WorkspaceWish, resources: Resources) -> Service:
    return Service(
        name=WORKSPACE_SERVICE,
        image=wish.image,
        entrypoint=(),
        command=("sh", "-c", _WAIT),
        environment=_variables(environment),
        secret_keys=wish.secret_keys,
        mounts=(VolumeMount(volume=_VOLUME, target=_ROOT),),
        restart=Restart.UNLESS_STOPPED,
        init=True,
        stop_grace_period=_GRACE,
        resources=resources,
    )


def _variables(environment: Environment) -> Mapping[str, str]:
    issue = {"CONDUCTOR_ISSUE": str(environment.issue)} if environment.issue else {}
    return {
        "HOME": _HOME,
        "CONDUCTOR_ENVIRONMENT": environment.id,
        "CONDUCTOR_REPOSITORY": environment.repository,
        "CONDUCTOR_BRANCH": environment.branch,
        **issue,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": CHECKOUT,
    }


def _place(environment: Environment) -> Place:
    return Place(
        namespace=environment.namespace,
        run=environment.id,
        repository=environment.repository,
        branch=environment.branch,
    )


_ONE = Stack(name="one", services=(Service(name=WORKSPACE_SERVICE, restart=Restart.UNLESS_STOPPED),))
"""What is looked at: whether it is up, on its way, or past hope is told as of any service."""


def _read(states: States) -> WorkspaceState:
    state = states.get(WORKSPACE_SERVICE)
    if state is None:
        return WorkspaceState(phase=WorkspacePhase.GONE, message="there is no workspace")
    if state.phase is Phase.SLEEPING:
        return WorkspaceState(phase=WorkspacePhase.STOPPED)
    match readiness(_ONE, states):
        case Ready():
            return WorkspaceState(phase=WorkspacePhase.READY)
        case Hopeless() as lost:
            return WorkspaceState(phase=WorkspacePhase.FAILED, message=lost.message, reason=str(lost.reason))
        case Waiting() as waiting:
            why = state.message or waiting.on.get(WORKSPACE_SERVICE, "")
            return WorkspaceState(phase=WorkspacePhase.STARTING, message=why)
