"""Fixtures of these tests: the clusters."""

from tests.kubernetes.clusters import cluster, node_images

__all__ = ["cluster", "node_images"]
