"""Secrets that a workflow brings: dispatched, followed, once more, not again, not for everybody, and never left half."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from conductor.domain.stack import Service, Stack
from conductor.errors import NotFoundError, RefusedError, RunError, UnreachableError
from conductor.ports.workflows import SYNC_FILE
from tests.github.fake import Repository
from tests.kubernetes.fake_api.kinds import CONFIG_MAPS, JOBS, ROLE_BINDINGS, SECRETS
from tests.kubernetes.fake_api.objects import Asked
from tests.syncing.conftest import START, VALUES, Stage, a_run

WANTED = {"backend": ("STRIPE_KEY", "OPENAI_API_KEY"), "my_db": ("OPENAI_API_KEY",)}
MINUTES = timedelta(minutes=5)


def there(stage: Stage, resource: Any) -> dict[str, Any]:
    assert stage.server
    found = stage.server.store.all(resource, stage.run.namespace)
    return {one["metadata"]["name"]: one for one in found if one["metadata"]["name"] != "kube-root-ca.crt"}


def bound(stage: Stage) -> bool:
    return "conductor-secrets" in there(stage, ROLE_BINDINGS)


def values(stage: Stage, secret: str) -> dict[str, str]:
    data = there(stage, SECRETS)[secret]["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


async def test_each_consumer_has_its_own_and_the_receipt_says_where(stage: Stage):
    receipt = await stage.secrets().sync(stage.run, WANTED)
    assert values(stage, receipt.secrets["backend"]) == {
        "STRIPE_KEY": VALUES["STRIPE_KEY_QA"], "OPENAI_API_KEY": VALUES["OPENAI_API_KEY_QA"],
    }  # fmt: skip
    assert values(stage, receipt.secrets["my_db"]) == {"OPENAI_API_KEY": VALUES["OPENAI_API_KEY_QA"]}
    assert receipt.keys["STRIPE_KEY"] == "GitHub secret STRIPE_KEY_QA"
    assert receipt.dispatches == 1
    assert receipt.workflow.startswith("https://github.com/acme/shop/actions/runs/")
    assert not bound(stage)
    for value in VALUES.values():
        assert value not in repr(receipt) + repr(stage.shop.workflow_runs) + stage.actions.log


async def test_while_it_takes_the_runner_and_nobody_else_is_let_in(stage: Stage):
    seen = []

    async def look(repository: Repository, run: dict[str, Any]) -> str:
        seen.append(there(stage, ROLE_BINDINGS)["conductor-secrets"])
        return await stage.actions(repository, run)

    stage.github.runner = look
    await stage.secrets().sync(stage.run, WANTED)
    assert seen[0]["roleRef"]["name"] == "conductor-secret-writer"
    subject = {"kind": "ServiceAccount", "namespace": "arc-runners", "name": "conductor-runner"}
    assert [{key: one[key] for key in subject} for one in seen[0]["subjects"]] == [subject]


async def test_what_is_as_new_as_github_has_it_is_not_brought_again(stage: Stage):
    first = await stage.secrets().sync(stage.run, WANTED)
    again = await stage.secrets().sync(stage.run, WANTED)
    assert (again.secrets, again.dispatches) == (first.secrets, 0)
    assert len(stage.shop.workflow_runs) == 1


@pytest.mark.parametrize(
    "change", ["a secret was changed", "other names", "another consumer", "gone from the cluster"]
)
async def test_what_has_changed_is_brought_again_under_names_of_its_own(stage: Stage, change: str):
    first = await stage.secrets().sync(stage.run, WANTED)
    wanted = dict(WANTED)
    match change:
        case "a secret was changed":
            stage.shop.secrets["STRIPE_KEY_QA"] = START + MINUTES
        case "other names":
            wanted["my_db"] = ("STRIPE_KEY",)
        case "another consumer":
            wanted["workspace"] = ("STRIPE_KEY",)
        case _:
            assert stage.server
            stage.server.store.remove(SECRETS, there(stage, SECRETS)[first.secrets["backend"]])
    again = await stage.secrets().sync(stage.run, wanted)
    assert again.dispatches == 1
    assert set(again.secrets.values()).isdisjoint(first.secrets.values())


async def test_a_secret_of_the_environment_wins_and_its_environment_is_named_to_the_workflow(stage: Stage):
    stage.shop.environment_secrets["qa"] = {"STRIPE_KEY_QA": START}
    await stage.secrets().sync(stage.run, WANTED)
    assert stage.shop.workflow_runs[0]["inputs"]["environment"] == "qa"


async def test_a_secret_that_github_does_not_have_is_named_before_anything_is_dispatched(stage: Stage):
    with pytest.raises(
        RunError, match=r"secrets are missing on GitHub: GONE_QA, LOST_QA \(looked in acme/shop"
    ) as caught:
        await stage.secrets().sync(stage.run, {"backend": ("GONE", "STRIPE_KEY", "LOST")})
    assert (caught.value.reason, caught.value.fault) == ("SecretMissing", "repository")
    assert stage.shop.workflow_runs == []


async def test_where_nobody_may_list_them_the_workflow_names_what_is_missing(stage: Stage):
    del stage.github.granted["secrets"]
    with pytest.raises(RunError, match="a secret is missing on GitHub: GONE_QA") as caught:
        await stage.secrets().sync(stage.run, {"backend": ("GONE", "STRIPE_KEY")})
    assert caught.value.reason == "SecretMissing"
    assert len(stage.shop.workflow_runs) == 1, "another dispatch would change nothing"
    assert not bound(stage)


async def test_where_nobody_may_list_them_nothing_is_taken_for_new_enough(stage: Stage):
    del stage.github.granted["secrets"]
    for number in (1, 2):
        await stage.secrets().sync(stage.run, WANTED)
        assert len(stage.shop.workflow_runs) == number


async def test_production_is_for_a_server_that_names_it(stage: Stage):
    production = replace(stage.run, environment="prod")
    with pytest.raises(RefusedError, match="'prod' are given to nobody by this server"):
        await stage.secrets().sync(production, {"backend": ("STRIPE_KEY",)})
    assert stage.shop.workflow_runs == []
    receipt = await stage.secrets(environments=("dev", "qa", "prod")).sync(
        production, {"backend": ("STRIPE_KEY",)}
    )
    assert values(stage, receipt.secrets["backend"]) == {"STRIPE_KEY": "of-production"}


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/acme/shop.git",
        "https://github.com/evil/shop.git",
        "https://github.com@evil.example/acme/shop",
        "/srv/acme/shop",
    ],
)
async def test_code_from_elsewhere_gets_none_of_the_repositorys_secrets(stage: Stage, location: str):
    elsewhere = replace(stage.run, source=replace(stage.run.source, location=location))
    with pytest.raises(RefusedError, match="are for code from GitHub"):
        await stage.secrets().sync(elsewhere, WANTED)
    assert stage.shop.workflow_runs == []


async def test_more_than_one_dispatch_can_bring_is_refused(stage: Stage):
    with pytest.raises(RefusedError, match="65 secrets are asked for"):
        await stage.secrets().sync(stage.run, {"backend": tuple(f"K{number}" for number in range(65))})


class Loses:
    """A runner that plays what goes wrong with its first jobs, and does the others."""

    def __init__(self, stage: Stage, *, times: int, conclusion: str = "", half: bool = False) -> None:
        self.stage, self.times, self.conclusion, self.half = stage, times, conclusion, half

    async def __call__(self, repository: Repository, run: dict[str, Any]) -> str:
        self.times -= 1
        if self.times < 0:
            return await self.stage.actions(repository, run)
        if self.half:
            first, _, _ = run["inputs"]["wanted"].partition(" ")
            await self.stage.actions.run({**run["inputs"], "wanted": first}, number=run["id"])
        return self.conclusion or "unknown"


@pytest.mark.parametrize("conclusion", ["failure", "cancelled", "startup_failure", "timed_out"])
async def test_a_job_that_is_lost_is_dispatched_once_more(stage: Stage, conclusion: str):
    stage.github.runner = Loses(stage, times=1, conclusion=conclusion)
    receipt = await stage.secrets().sync(stage.run, WANTED)
    assert receipt.dispatches == 2
    assert values(stage, receipt.secrets["my_db"]) == {"OPENAI_API_KEY": "two\nlines"}


async def test_a_job_that_nobody_takes_is_cancelled_and_dispatched_once_more(stage: Stage):
    stage.github.runner = None
    with pytest.raises(RunError, match="did not end in time") as caught:
        await stage.secrets(patience=MINUTES).sync(stage.run, WANTED)
    assert (caught.value.reason, caught.value.fault) == ("SecretSyncFailed", "platform")
    assert "conductor-secrets" in caught.value.remedy
    assert [one["conclusion"] for one in stage.shop.workflow_runs] == ["cancelled", "cancelled"]
    assert timedelta(minutes=10) <= stage.github.now - START < timedelta(minutes=11)
    assert not bound(stage)


async def test_a_success_that_made_something_else_is_none(stage: Stage):
    stage.github.runner = Loses(stage, times=2, conclusion="success", half=True)
    with pytest.raises(RunError, match="made something else than was asked for"):
        await stage.secrets().sync(stage.run, WANTED)


async def test_a_success_without_a_receipt_is_none(stage: Stage):
    stage.github.runner = Loses(stage, times=2, conclusion="success")
    with pytest.raises(RunError, match="left no receipt"):
        await stage.secrets().sync(stage.run, WANTED)


async def test_without_the_workflow_it_is_said_how_it_comes_there(stage: Stage):
    stage.shop.workflows.clear()
    with pytest.raises(NotFoundError, match=SYNC_FILE) as caught:
        await stage.secrets().sync(stage.run, WANTED)
    assert "conductor secrets install" in caught.value.remedy
    assert not bound(stage)


async def test_who_goes_on_with_a_run_finds_what_was_dispatched_and_dispatches_nothing(stage: Stage):
    waits = asyncio.Event()

    async def slow(repository: Repository, run: dict[str, Any]) -> str:
        await waits.wait()
        return await stage.actions(repository, run)

    stage.github.runner = slow
    first = asyncio.create_task(stage.secrets().sync(stage.run, WANTED))
    async with asyncio.timeout(30):
        while not stage.shop.workflow_runs:  # noqa: ASYNC110 -- the fake rings no bell
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert bound(stage), "a shutdown is no end: the runner may still come"
        waits.set()
        receipt = await stage.secrets().sync(stage.run, WANTED)
    assert len(stage.shop.workflow_runs) == 1
    assert set(receipt.secrets) == set(WANTED)
    assert not bound(stage)


async def test_a_dispatch_whose_answer_was_lost_is_found(stage: Stage):
    stage.github.fails("POST", "/dispatches", 502, after=True)
    with pytest.raises(UnreachableError):
        await stage.secrets().sync(stage.run, WANTED)
    await stage.secrets().sync(stage.run, WANTED)
    assert len(stage.shop.workflow_runs) == 1


async def test_a_sync_that_is_abandoned_is_cancelled_from_any_process(stage: Stage):
    stage.github.runner = None
    first = asyncio.create_task(stage.secrets(patience=timedelta(days=365)).sync(stage.run, WANTED))
    async with asyncio.timeout(30):
        while not stage.shop.workflow_runs:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await stage.secrets().abandon(stage.run)
    assert stage.shop.workflow_runs[0]["conclusion"] == "cancelled"
    assert not bound(stage)


async def test_where_nothing_is_under_way_there_is_nothing_to_abandon(stage: Stage):
    await stage.secrets().sync(stage.run, WANTED)
    await stage.secrets().abandon(stage.run)
    await stage.secrets().abandon(a_run("shop-never"))
    assert stage.shop.workflow_runs[0]["conclusion"] == "success"


async def test_no_value_is_at_hand(stage: Stage):
    secrets = stage.secrets()
    await secrets.sync(stage.run, WANTED)
    await secrets.recall(stage.run, WANTED)
    with pytest.raises(KeyError):
        secrets.value(stage.run.id, "STRIPE_KEY")
    assert secrets.masker(stage.run.id)("token ghp_" + "a" * 36) == "token ***"


async def test_a_workload_takes_its_secrets_from_the_latest_sync(stage: Stage):
    await stage.secrets().sync(stage.run, WANTED)
    stage.shop.secrets["STRIPE_KEY_QA"] = START + MINUTES
    receipt = await stage.secrets().sync(stage.run, WANTED)
    service = Service(name="my_db", image="busybox:1.36", secret_keys=("OPENAI_API_KEY",))
    rendered = [dict(one) for one in stage.engine.render(stage.place, stack_of(service))]
    assert "my-db-e0a37f2f-secrets" in repr(rendered), "a plan knows no sync"
    await stage.engine.apply(stage.place, stack_of(service), service)
    (job,) = there(stage, JOBS).values()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    source = next(one for one in container["env"] if one["name"] == "OPENAI_API_KEY")["valueFrom"]
    assert source == {"secretKeyRef": {"name": receipt.secrets["my_db"], "key": "OPENAI_API_KEY"}}
    assert len(there(stage, SECRETS)) == 4, "Conductor made none itself"


async def test_a_workload_whose_secrets_nobody_brought_is_not_started(stage: Stage):
    service = Service(name="web", image="busybox:1.36", secret_keys=("STRIPE_KEY",))
    with pytest.raises(RunError, match="web needs STRIPE_KEY, and no sync brought that"):
        await stage.engine.apply(stage.place, stack_of(service), service)


async def test_a_slip_that_somebody_else_wrote_says_nothing(stage: Stage):
    assert stage.server
    forged = {"sync": "zzzz", "key": "x", "secrets": "web-zzzz:STRIPE_KEY"}
    made = {"metadata": {"name": "something", "labels": {"conductor.dev/secrets": "slip"}}, "data": forged}
    stage.server.objects.create(CONFIG_MAPS, stage.run.namespace, made, Asked(manager="somebody"))
    assert await stage.writing.slips(stage.run.namespace) == []


def stack_of(service: Service) -> Stack:
    return Stack(name="shop", services=(service,), networks=())
