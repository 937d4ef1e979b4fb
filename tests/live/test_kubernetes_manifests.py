"""A real API server takes what we make of the files that others wrote: server-side dry run, so that nothing is left there."""

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

from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.renderer import KubernetesRenderer
from conductor.ports.engine import Place
from tests.unit.kubernetes.corpus import samples

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
PLURALS = {
    "Namespace": "namespaces", "LimitRange": "limitranges", "ResourceQuota": "resourcequotas", "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims", "Service": "services", "ConfigMap": "configmaps", "Job": "jobs",
    "Deployment": "deployments", "StatefulSet": "statefulsets",
}  # fmt: skip


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
        self._connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, context=context, timeout=60
        )

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        headers = {**self.headers, "Content-Type": kind}
        self._connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")

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
