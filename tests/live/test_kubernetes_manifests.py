"""A real API server takes what we make of the files that others wrote, and real pods see what the compose file says.

`CONDUCTOR_TEST_KUBECONFIG` names the cluster. On its nodes are the busybox of `tests/engines.py` (or what `CONDUCTOR_TEST_IMAGE` names)
and the image of `deploy/tools` (`CONDUCTOR_TEST_TOOLS_IMAGE`): nothing is pulled.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import ssl
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.renderer import KubernetesRenderer
from conductor.compose.load import load_stack
from conductor.compose.reader import Checkout
from conductor.ports.engine import Place
from tests.engines import BUSYBOX
from tests.unit.kubernetes.corpus import samples

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
PLURALS = {
    "Namespace": "namespaces", "LimitRange": "limitranges", "ResourceQuota": "resourcequotas", "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims", "Service": "services", "ConfigMap": "configmaps", "Job": "jobs",
    "Deployment": "deployments", "StatefulSet": "statefulsets", "ServiceAccount": "serviceaccounts",
}  # fmt: skip


IMAGE = os.environ.get("CONDUCTOR_TEST_IMAGE", BUSYBOX)
TOOLS = os.environ.get("CONDUCTOR_TEST_TOOLS_IMAGE", "localhost/conductor/tools:1")
ENDS_SECONDS = 180
COMPOSE = f"""
services:
  my_db:
    image: {IMAGE}
    restart: always
    stop_signal: SIGINT
    stop_grace_period: 60s
    volumes: [/bin, shared:/shared, ./src:/src]
    command:
      - sh
      - -c
      - |
        trap 'echo stopped by INT > /shared/stopped; exit 0' INT
        trap 'echo stopped by TERM > /shared/stopped; exit 0' TERM
        echo written by my_db > /src/new; echo > /shared/started
        while :; do sleep 0.1; done
  reader:
    image: {IMAGE}
    hostname: box
    volumes: [shared:/shared, ./src:/seen:ro]
    tmpfs: ["/memory:mode=1700,uid=5"]
    configs: [{{source: text, target: /text, mode: 0400, uid: "7"}}]
    command:
      - sh
      - -c
      - |
        until [ -e /shared/started ] && grep -q ' my_db$$' /etc/hosts; do sleep 0.1; done
        hostname; cat /seen/new; /seen/run; readlink /seen/link; stat -c '%a %u' /memory /text
        touch /seen/no 2> /dev/null || echo only my_db writes
        echo all seen
        until [ -e /shared/stopped ]; do sleep 0.1; done
        cat /shared/stopped
volumes: {{shared: {{}}}}
configs: {{text: {{content: hello}}}}
"""


class Server:
    """One connection to the API server of a kubeconfig."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=_text(cluster, "certificate-authority"))
        self.headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        if not self.headers:
            for name in ("client-certificate", "client-key"):
                (folder / name).write_text(_text(user, name))
            context.load_cert_chain(folder / "client-certificate", folder / "client-key")
        address = urlsplit(cluster["server"])
        self._context, self._address = context, (str(address.hostname), address.port)
        self._connection = http.client.HTTPSConnection(*self._address, context=context, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        headers = {**self.headers, "Content-Type": kind}
        try:
            return self._ask(method, path, body, headers)
        except (
            http.client.RemoteDisconnected,
            ssl.SSLEOFError,
            ConnectionError,
        ):  # nobody had asked for long
            self._connection.close()
            return self._ask(method, path, body, headers)

    def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        self._connection.request(method, path, json.dumps(body) if body else None, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")

    def put(self, manifest: Mapping[str, Any]) -> None:
        where = _path(manifest, manifest["metadata"].get("namespace"))
        path = f"{where}/{manifest['metadata']['name']}?fieldManager=conductor&force=true"
        status, said = self.ask("PATCH", path, manifest, "application/apply-patch+yaml")
        assert status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED), said

    def lines(self, path: str) -> Iterator[str]:
        """Yield what the server sends on and on, until it ends or the caller has enough."""
        connection = http.client.HTTPSConnection(*self._address, context=self._context, timeout=ENDS_SECONDS)
        try:
            connection.request("GET", path, headers=self.headers)
            with connection.getresponse() as answer:
                assert answer.status == http.HTTPStatus.OK, answer.read()
                while line := answer.readline():
                    yield line.decode()
        finally:
            connection.close()

    def started(self, namespace: str, workload: str, container: str) -> str:
        """Wait until a container of a workload has started; return the name of its pod."""
        wish = f"labelSelector=conductor.dev/workload={workload}&watch=true&timeoutSeconds={ENDS_SECONDS}"
        for line in self.lines(f"/api/v1/namespaces/{namespace}/pods?{wish}"):
            pod = json.loads(line)["object"]
            states = {s["name"]: s["state"] for s in pod["status"].get("containerStatuses", ())}
            if states.get(container, {}).keys() & {"running", "terminated"}:
                return str(pod["metadata"]["name"])
        pytest.fail(f"{workload} did not start within {ENDS_SECONDS} s")

    def try_out(self, manifest: Mapping[str, Any]) -> str:
        """Apply it without doing it; return what the server says against it, or nothing."""
        where = _path(manifest, manifest["metadata"].get("namespace"))
        path = f"{where}/{manifest['metadata']['name']}?dryRun=All&fieldManager=conductor&force=true"
        status, said = self.ask("PATCH", path, manifest, "application/apply-patch+yaml")
        return "" if status in (200, 201) else f"{manifest['kind']} {status}: {said.get('message')}"

    def try_pod(self, template: Mapping[str, Any], namespace: str) -> str:
        """Create the pod of a template without doing it: Pod Security judges pods alone."""
        metadata = {**template["metadata"], "generateName": "tried-"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        status, said = self.ask("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
        return "" if status == http.HTTPStatus.CREATED else f"Pod {status}: {said.get('message')}"


def _text(part: Mapping[str, Any], name: str) -> str:
    data = part.get(f"{name}-data")
    return base64.b64decode(data).decode() if data else Path(part[name]).read_text()


def _path(manifest: Mapping[str, Any], namespace: str | None) -> str:
    version = manifest["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{inside}/{PLURALS[manifest['kind']]}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    kubeconfig = os.environ.get("CONDUCTOR_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("CONDUCTOR_TEST_KUBECONFIG is unset: there is no cluster to ask")
    made = Server(Path(kubeconfig), tmp_path)
    yield made
    made.close()


@pytest.fixture
def namespace(server: Server) -> Iterator[str]:
    name = f"conductor-tried-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    status, said = server.ask("POST", "/api/v1/namespaces", body)
    assert status == http.HTTPStatus.CREATED, said
    yield name
    server.ask("DELETE", f"/api/v1/namespaces/{name}")


def test_an_api_server_takes_every_file_that_is_converted(
    server: Server, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    renderer, counts = KubernetesRenderer(Site()), Counter[str]()
    tried: dict[bytes, str] = {}
    wrong: list[str] = []
    folder = tmp_path / "corpus"
    folder.mkdir()
    for sample in samples(folder):
        if sample.loaded.problems or renderer.unsupported(sample.loaded.stack):
            continue
        place = Place(namespace=namespace, run="tried", checkout=str(sample.checkout))
        said = []
        for made in renderer.render(place, sample.loaded.stack):
            manifest = json.loads(json.dumps(made))
            key = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).digest()
            if key not in tried:
                template = manifest.get("spec", {}).get("template")
                tried[key] = (
                    server.try_out(manifest) or (template and server.try_pod(template, namespace)) or ""
                )
            said += [tried[key]] if tried[key] else []
        counts[f"{sample.category} {'refused by the server' if said else 'taken'}"] += 1
        wrong += [f"{sample.name}: {each}" for each in said]
    with capsys.disabled():
        print(f"\nAPI server: {dict(counts)}, {len(tried)} different objects")  # noqa: T201
    assert wrong == []
    assert sum(counts.values()) > 0


def test_pods_see_and_leave_what_the_compose_file_says(server: Server, namespace: str, tmp_path: Path):
    """A new volume has the image's files, writes to a bound folder are seen by others, odd names are found, the signal is the file's."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/run").write_text("#!/bin/sh\necho run by its own mode\n")
    (tmp_path / "src/run").chmod(0o755)
    (tmp_path / "src/link").symlink_to("run")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    stack = load_stack(Checkout(tmp_path), ["compose.yaml"], name="s").stack
    place = Place(namespace=namespace, run="tried", checkout=str(tmp_path))
    made = KubernetesRenderer(Site(tools_image=TOOLS)).render(place, stack)
    for manifest in made:
        server.put(json.loads(json.dumps(manifest)))
    pod = server.started(namespace, "reader", "reader")
    seen: list[str] = []
    for line in server.lines(f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container=reader&follow=true"):
        seen.append(line.rstrip("\n"))
        if seen[-1] == "all seen":
            keeper = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{kube_name('my_db')}"
            assert server.ask("DELETE", keeper)[0] == http.HTTPStatus.OK
    assert seen == [
        "box",
        "written by my_db",
        "run by its own mode",
        "run",
        "1700 5",
        "400 7",
        "only my_db writes",
        "all seen",
        "stopped by INT",
    ]
