"""A Kubernetes API server without a cluster: real enough for Conductor's engine, lightkube and kubectl.

Here belong the API (objects, watches, patches, admission), the controllers that play their part (Deployments, Jobs, namespaces, a
kubelet) and faults on request. Not here: anything of Conductor itself. What is played is held against a real API server by
`tests/kubernetes/test_api_server.py`, which runs on both.

    async with FakeApiServer(folder) as server:
        server.kubeconfig            # a file that names it
        server.faults.conflict("configmaps")
"""

from tests.kubernetes.fake_api.server import FakeApiServer

__all__ = ["FakeApiServer"]
