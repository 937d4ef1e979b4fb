"""Development environments on the fake engine and real records: provisioned, worked in, released; and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor import durable
from conductor.domain.access import Role
from conductor.domain.environment import EnvironmentStatus
from conductor.domain.verdict import Fault
from conductor.errors import ConflictError, RefusedError
from conductor.operations import environments, stacks
from conductor.operations.environments import EnvironmentRequest
from conductor.operations.ownership import refuse_unless_own
from conductor.operations.replicas import adopt_orphans
from conductor.operations.sweep import sweep
from conductor.ports.environments import EnvironmentRow
from conductor.ports.world import World
from tests.scenarios.service_stage import BOUND_SECONDS, SHOP, Server

SECRETS = "version: 1\nsecrets: [{name: API_KEY, for: [workspace]}, {name: OTHER, for: [tests]}]\ntests: {image: node, command: [x]}\n"


async def asked(server: Server, **more: Any) -> EnvironmentRow:
    request = EnvironmentRequest(location=server.shop.location, repository=SHOP, principal="kim", **more)
    row = await environments.request(server.service.world, request)
    return await environments.wait(
        server.service.world, row.environment.id, timeout=timedelta(seconds=BOUND_SECONDS)
    )


async def nothing_stands(world: World) -> bool:
    return not await world.engine.namespaces() and not await world.store.leases()


async def test_an_environment_gets_ready_with_its_own_secrets_and_a_lease(tmp_path: Path):
    async with Server(
        tmp_path, plan=SECRETS, secrets={"API_KEY_DEV": "v", "OTHER_DEV": "w"}
    ).launched() as server:
        row = await asked(server, issue=12, branch="12-cart")
        world = server.service.world
        assert row.state.status is EnvironmentStatus.READY
        assert row.state.secrets == ("API_KEY",)
        assert row.state.image == "localhost/dev:1"
        (info,) = await world.engine.namespaces()
        assert info.lease
        assert (info.lease.run, info.is_environment) == (row.environment.id, True)
        assert row.state.expires_at == info.lease.expires_at
        view = await environments.find(world, row.environment.id)
        assert {step.name for step in view.steps if step.ended_at} == {
            "prepare-environment",
            "create-environment-namespace",
            "sync-environment-secrets",
            "create-workspace",
            "await-workspace",
            "seed-workspace",
            "settle-environment",
        }
        assert await stacks.list_stacks(world) == [], "an environment is no stack"


async def test_the_same_request_is_the_same_environment_and_another_persons_is_not(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        first, again = await asked(server, issue=12), await asked(server, issue=12)
        assert first.environment == again.environment
        other = EnvironmentRequest(location=server.shop.location, repository=SHOP, principal="lee", issue=12)
        row = await environments.request(server.service.world, other)
        assert row.environment.id != first.environment.id


@pytest.mark.parametrize(
    ("plan", "more", "fail", "reason"),
    [
        (SECRETS, {}, "", "SecretMissing"),
        ("version: 1\ntests: {image: node, command: [x]}\n", {"environment": "prod"}, "", "Refused"),
        (
            "version: 1\ntests: {image: node, command: [x]}\n",
            {},
            "deploy/workspace:ImagePullBackOff",
            "ImagePullBackOff",
        ),
    ],
)
async def test_one_that_cannot_be_leaves_nothing_but_the_reason(
    tmp_path: Path, plan: str, more: dict[str, Any], fail: str, reason: str
):
    async with Server(tmp_path, plan=plan, fail=fail).launched() as server:
        row = await asked(server, **more)
        assert (row.state.status, row.state.reason) == (EnvironmentStatus.FAILED, reason)
        assert row.state.message
        assert row.state.remedy
        assert row.state.fault in (Fault.REPOSITORY, Fault.PLATFORM)
        assert await nothing_stands(server.service.world)
        assert (await asked(server, **more)).environment.id != row.environment.id, "it may be asked for anew"


async def test_it_sleeps_wakes_lasts_longer_and_is_released(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        world = server.service.world
        name = (await asked(server)).environment.id
        before = (await environments.find(world, name)).lease
        assert before
        assert before.expires_at
        lease = await environments.extend(world, name, by=timedelta(hours=2))
        assert lease.expires_at == before.expires_at + timedelta(hours=2)
        await environments.sleep(world, name)
        with pytest.raises(ConflictError, match="sleeping"):
            await environments.execute(world, name, ["true"])
        await environments.wake(world, name)
        assert (await environments.execute(world, name, ["true"])).exit_code == 0
        assert (await environments.release(world, name)).status is EnvironmentStatus.RELEASED
        assert (await environments.release(world, name)).status is EnvironmentStatus.RELEASED
        assert await nothing_stands(world)


async def test_the_sweeper_ends_one_whose_lease_is_over(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        world = server.service.world
        name = (await asked(server, keep_for=timedelta(hours=1))).environment.id
        assert (await sweep(world)).removed == []
        server.clock.advance(timedelta(hours=2))
        assert len((await sweep(world)).removed) == 1
        assert (await environments.find(world, name)).row.state.status is EnvironmentStatus.RELEASED
        assert await nothing_stands(world)


async def test_what_is_masked_in_a_run_is_masked_in_a_workspace(tmp_path: Path):
    value = "a value that nobody may see"
    async with Server(tmp_path, plan=SECRETS, secrets={"API_KEY_DEV": value}).launched() as server:
        world = server.service.world
        name = (await asked(server)).environment.id
        told = await environments.execute(world, name, ["echo", value])
        assert value not in told.stdout.decode()


def test_only_admins_end_what_is_anothers():
    refuse_unless_own("e", "kim", principal="kim", role=Role.RUN)
    refuse_unless_own("e", "kim", principal="lee", role=Role.ADMIN)
    with pytest.raises(RefusedError, match="kim's"):
        refuse_unless_own("e", "kim", principal="lee", role=Role.RUN)


async def test_another_process_goes_on_with_one_that_was_cut_off(tmp_path: Path):
    server = Server(tmp_path, fail="deploy/workspace:slow=1000")
    async with server.launched():
        request = EnvironmentRequest(location=server.shop.location, repository=SHOP, principal="kim")
        row = await environments.request(server.service.world, request)
        async with asyncio.timeout(BOUND_SECONDS):
            while not await server.service.world.store.steps(row.environment.id, 1):  # noqa: ASYNC110 -- records are watched
                await asyncio.sleep(0)
    server.clock.advance(timedelta(seconds=2000))
    async with server.launched():
        adopted = await adopt_orphans(server.service.world)
        assert adopted.taken == [row.environment.workflow_id]
        handle = await durable.retrieve(row.environment.workflow_id, environments.dev_environment)
        await asyncio.wait_for(handle.result(), BOUND_SECONDS)
        found = await environments.find(server.service.world, row.environment.id)
        assert found.row.state.status is EnvironmentStatus.READY
