"""Fixtures of these tests: what images are built from and pushed to."""

from tests.kubernetes.peers import debian_mirror, git_server, registry
from tests.live.kaniko_builds import make_workshop

__all__ = ["debian_mirror", "git_server", "make_workshop", "registry"]
