"""Asking an API server for tests: raw answers, and waiting by watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import connect

PATIENCE = 60.0
"""Seconds: no wait is longer."""
MERGE, STRATEGIC, STEPS, APPLY = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
_GROUPS = {
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
}
Answer = dict[str, Any]


@dataclass
class Asking:
    """One namespace of one API server."""

    client: Client
    namespace: str
    image: str

    def path(self, plural: str, name: str = "", part: str = "") -> str:
        group = _GROUPS.get(plural, "/api/v1")
        return "/".join(s for s in (f"{group}/namespaces/{self.namespace}/{plural}", name, part) if s)

    async def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **parameters: str
    ) -> tuple[int, Answer]:
        """Send a request; return the code and the answer, or its text as `text`."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": kind}
        answer = await self.client.http.request(
            method, path, params=parameters, content=content, headers=headers
        )
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, {"text": answer.text}

    async def create(self, plural: str, thing: Answer, **parameters: str) -> Answer:
        code, answer = await self.ask("POST", self.path(plural), thing, **parameters)
        assert code == 201, answer
        return answer

    async def get(self, plural: str, name: str) -> Answer:
        code, answer = await self.ask("GET", self.path(plural, name))
        assert code == 200, answer
        return answer

    async def patch(
        self, plural: str, name: str, changes: Any, kind: str = MERGE, **parameters: str
    ) -> tuple[int, Answer]:
        return await self.ask("PATCH", self.path(plural, name), changes, kind, **parameters)

    async def apply(self, plural: str, thing: Answer, manager: str, **parameters: str) -> tuple[int, Answer]:
        name = thing["metadata"]["name"]
        return await self.patch(plural, name, thing, APPLY, fieldManager=manager, **parameters)

    async def delete(self, plural: str, name: str, **options: Any) -> tuple[int, Answer]:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return await self.ask("DELETE", self.path(plural, name), body)

    async def items(self, plural: str, **parameters: str) -> list[Answer]:
        code, answer = await self.ask("GET", self.path(plural), **parameters)
        assert code == 200, answer
        return answer["items"]

    async def version(self, plural: str) -> str:
        """Return the version of a list: a watch from there misses nothing."""
        _, answer = await self.ask("GET", self.path(plural))
        return str(answer["metadata"]["resourceVersion"])

    async def watch(self, plural: str, **parameters: str) -> AsyncIterator[Answer]:
        """Yield the events of one watch."""
        asked = {"watch": "true", **parameters}
        async with self.client.http.stream(
            "GET", self.path(plural), params=asked, timeout=PATIENCE
        ) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                if line.strip():
                    yield json.loads(line)

    async def until(
        self, plural: str, condition: Callable[[Answer], object], *, gone: bool = False, **parameters: str
    ) -> Answer:
        """Wait for an object for which the condition holds (or held, for one that is gone)."""
        async with asyncio.timeout(PATIENCE):
            async for event in self.watch(plural, **parameters):
                if (event["type"] == "DELETED") is gone and condition(event["object"]):
                    return event["object"]
        raise AssertionError("the watch ended before it happened")

    async def pod_of(self, name: str, condition: Callable[[Answer], object] = bool) -> Answer:
        """Wait for a pod with the label `app`."""
        return await self.until("pods", condition, labelSelector=f"app={name}")

    async def event(self, reason: str, text: str = "") -> Answer:
        """Wait for an event."""
        return await self.until("events", lambda e: e["reason"] == reason and text in e["message"])

    async def log(self, pod: str, **parameters: str) -> tuple[int, str]:
        answer = await self.client.http.get(
            self.path("pods", pod, "log"), params=parameters, timeout=PATIENCE
        )
        return answer.status_code, answer.text

    def pod(self, name: str, script: str, **spec: Any) -> Answer:
        """Write a pod that runs a script."""
        return {"apiVersion": "v1", "kind": "Pod", **self.template(name, script, **spec)}

    def template(self, name: str, script: str, **spec: Any) -> Answer:
        more = spec.pop("container", {})
        container = {
            "name": "main",
            "image": self.image,
            "imagePullPolicy": "Never",
            "command": ["sh", "-c", script],
            **more,
        }
        whole = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "containers": [container],
            **spec,
        }
        return {"metadata": {"name": name, "labels": {"app": name}}, "spec": whole}

    def job(self, name: str, script: str, *, pod: Answer | None = None, **spec: Any) -> Answer:
        template = self.template(name, script, **(pod or {}))
        del template["metadata"]["name"]
        whole = {"backoffLimit": 0, "template": template, **spec}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": whole}

    def deployment(self, name: str, script: str, *, replicas: int = 1) -> Answer:
        template = self.template(name, script, restartPolicy="Always")
        del template["metadata"]["name"]
        selector = {"matchLabels": {"app": name}}
        spec = {
            "replicas": replicas,
            "strategy": {"type": "Recreate"},
            "selector": selector,
            "template": template,
        }
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@asynccontextmanager
async def asking(kubeconfig: str, image: str, **labels: str) -> AsyncIterator[Asking]:
    """Make a namespace, and let it go afterwards."""
    client = await asyncio.to_thread(connect, kubeconfig)
    api = Asking(client, f"fapi-{uuid4().hex[:8]}", image)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": api.namespace, "labels": labels},
    }
    code, answer = await api.ask("POST", "/api/v1/namespaces", namespace)
    assert code == 201, answer
    try:
        await api.until("serviceaccounts", lambda account: account["metadata"]["name"] == "default")
        yield api
    finally:
        await api.ask("DELETE", api.path("pods"), gracePeriodSeconds="0")
        await api.ask("DELETE", f"/api/v1/namespaces/{api.namespace}")
        await client.aclose()


def config_map(
    name: str, *, labels: dict[str, str] | None = None, finalizers: list[str] | None = None, **data: str
) -> Answer:
    metadata: Answer = {"name": name}
    if labels:
        metadata["labels"] = labels
    if finalizers:
        metadata["finalizers"] = finalizers
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def phase(thing: Answer) -> str:
    return str((thing.get("status") or {}).get("phase") or "")


def state(pod: Answer, name: str = "main") -> Answer:
    """Return the state of a container; empty before it has one."""
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return next((s["state"] for s in found if s["name"] == name), {})


def condition(thing: Answer, kind: str) -> Answer:
    return next((c for c in (thing.get("status") or {}).get("conditions") or () if c["type"] == kind), {})


def holds(thing: Answer, kind: str) -> bool:
    return condition(thing, kind).get("status") == "True"
