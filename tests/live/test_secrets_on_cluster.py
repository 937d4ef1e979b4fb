"""Secrets on a real cluster, under the shipped rights: a real workflow brings them as the runner; only their consumers read them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from conductor.adapters.kubernetes.manifests.site import Writer
from conductor.domain.run import Run
from tests.github.fake import Repository
from tests.kubernetes.clusters import IMAGE, KUBECONFIG, TOOLS
from tests.kubernetes.installed import Installed, another_account, http, installation
from tests.syncing.conftest import Stage, a_run, playing
from tests.syncing.consumers import CONSUMERS, VALUES, expected, hashes, on_github

pytestmark = pytest.mark.cluster
RUNNER = "runner"
FORBIDDEN, CREATED = httpx2.codes.FORBIDDEN, httpx2.codes.CREATED


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installed, str]]:
    """An installation to which a runner brings secrets, and the kubeconfig of that runner's account."""
    folder, name = tmp_path_factory.mktemp("account"), f"secrets-{uuid4().hex[:8]}"
    sync = {"enabled": True, "namespace": name, "account": RUNNER}
    with installation(folder, name, secretSync=sync) as made:
        yield made, another_account(made, RUNNER, folder / "runner")


@dataclass(frozen=True)
class Scene:
    stage: Stage
    installed: Installed
    runner: httpx2.AsyncClient
    account: httpx2.AsyncClient
    admin: httpx2.AsyncClient

    @property
    def run(self) -> Run:
        return self.stage.run

    @property
    def secrets(self) -> str:
        return f"/api/v1/namespaces/{self.run.namespace}/secrets"

    @property
    def bindings(self) -> str:
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.run.namespace}/rolebindings"

    async def until(self, *, admitted: bool) -> None:
        """Wait until the server knows that the runner is let in, or out: it learns of bindings in its own time."""
        async with asyncio.timeout(30):
            while True:
                made = await self.runner.post(
                    self.secrets, json=named(f"x{uuid4().hex[:6]}"), params={"dryRun": "All"}
                )
                if (made.status_code == CREATED) == admitted:
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
async def scene(ground: tuple[Installed, str], tmp_path: Path) -> AsyncIterator[Scene]:
    installed, runner = ground
    run = a_run(f"secrets-{uuid4().hex[:6]}")
    writer = Writer(namespace=installed.name, account=RUNNER, role=f"{installed.name}-secret-writer")
    async with AsyncExitStack() as opened:
        stage = await opened.enter_async_context(
            playing(
                tmp_path,
                kubeconfig=installed.kubeconfig,
                values=on_github(),
                runner=runner,
                run=run,
                instance=installed.name,
                writer=writer,
                role=installed.role,
                tools_image=TOOLS,
            )
        )
        clients = [
            await opened.enter_async_context(http(file))
            for file in (runner, installed.kubeconfig, KUBECONFIG)
        ]
        yield Scene(stage, installed, *clients)


def named(name: str, kind: str = "Secret") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


async def test_each_consumer_sees_exactly_its_own_keys_as_github_has_them(scene: Scene) -> None:
    receipt = await scene.stage.secrets().sync(scene.run, CONSUMERS)
    assert receipt.dispatches == 1, scene.stage.actions.log
    for consumer, name in receipt.secrets.items():
        made = (await scene.admin.get(f"{scene.secrets}/{name}")).json()
        arrived = {key: base64.b64decode(value).decode() for key, value in made["data"].items()}
        assert arrived == {key: VALUES[key] for key in CONSUMERS[consumer]}
        assert made["immutable"]
    assert await hashes(scene.stage, IMAGE) == expected()
    for value in VALUES.values():
        for shown in (value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]):
            assert shown not in scene.stage.actions.log
    assert (await scene.stage.secrets().sync(scene.run, CONSUMERS)).dispatches == 0


async def test_the_runner_writes_while_it_is_let_in_there_and_reads_nothing_ever(scene: Scene) -> None:
    seen: dict[str, int] = {}

    async def look(repository: Repository, run: dict[str, Any]) -> str:
        conclusion = await scene.stage.actions(repository, run)
        secret = re.split("[: ]", run["inputs"]["wanted"])[0]
        for method, path, more in (
            ("GET", scene.secrets, {}),
            ("GET", f"{scene.secrets}/{secret}", {}),
            ("GET", f"{scene.secrets}?watch=1", {}),
            ("PATCH", f"{scene.secrets}/{secret}", {"content": "{}", "headers": {"Content-Type": "application/merge-patch+json"}}),
            ("PUT", f"{scene.secrets}/{secret}", {"json": named(secret)}),
            ("DELETE", f"{scene.secrets}/{secret}", {}),
            ("GET", scene.secrets.replace("secrets", "configmaps"), {}),
            ("GET", scene.secrets.replace("secrets", "pods"), {}),
            ("POST", scene.secrets.replace("secrets", "pods"), {"json": named("x", "Pod")}),
            ("POST", f"/api/v1/namespaces/{scene.installed.name}/secrets", {"json": named("x")}),
            ("POST", "/api/v1/namespaces/default/secrets", {"json": named("x")}),
        ):  # fmt: skip
            answer = await scene.runner.request(method, path, **more)
            seen[f"{method} {path}"] = answer.status_code
        return conclusion

    scene.stage.github.runner = look
    await scene.stage.secrets().sync(scene.run, CONSUMERS)
    assert set(seen.values()) == {FORBIDDEN}, seen
    await scene.until(admitted=False)


async def test_it_lets_nobody_else_in_and_nobody_in_elsewhere(scene: Scene) -> None:
    await scene.stage.writing.admit(scene.run.namespace)
    await scene.until(admitted=True)
    made = (await scene.admin.get(f"{scene.bindings}/conductor-secrets")).json()
    right = {key: made[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
    right["metadata"] = {"name": "conductor-secrets"}
    await scene.stage.writing.dismiss(scene.run.namespace)
    (subject,) = right["subjects"]
    role = right["roleRef"]
    wrong = {
        "another account": right | {"subjects": [subject | {"name": "default"}]},
        "an account of the namespace": right | {"subjects": [subject | {"namespace": scene.run.namespace}]},
        "two accounts": right | {"subjects": [subject, subject | {"name": "default"}]},
        "a group": right
        | {"subjects": [{"kind": "Group", "apiGroup": role["apiGroup"], "name": "system:authenticated"}]},
        "a wider role": right | {"roleRef": role | {"name": scene.installed.role}},
        "another name, which it could not take back": right | {"metadata": {"name": "more"}},
        "itself": right | {"subjects": [subject | {"name": scene.installed.name}]},
    }
    answers = {
        name: await scene.account.post(scene.bindings, json=one, params={"dryRun": "All"})
        for name, one in wrong.items()
    }
    for place in ("default", "kube-system", scene.installed.name):
        path = scene.bindings.replace(scene.run.namespace, place)
        answers[f"in {place}"] = await scene.account.post(path, json=right, params={"dryRun": "All"})
    answers["take its own binding away"] = await scene.account.delete(f"{scene.bindings}/conductor")
    assert {name: one.text for name, one in answers.items() if one.status_code != FORBIDDEN} == {}
    good = await scene.account.post(scene.bindings, json=right, params={"dryRun": "All"})
    assert good.status_code == CREATED, good.text


async def test_what_has_no_namespace_has_nothing_to_abandon(scene: Scene) -> None:
    await scene.stage.secrets().abandon(a_run("secrets-never-made"))


async def test_doctor_finds_the_rights_that_it_takes(scene: Scene) -> None:
    found = {line.subject: line for line in await scene.stage.engine.diagnose()}
    for subject in ("rights", "rights in a namespace", "secrets"):
        assert found[subject].ok, found[subject]
