"""GitHub as a service: what it sends, what it knows of a commit, and where verdicts are told.

What belongs here: every question that is put to GitHub's REST interface, by an App or by a token, on github.com or a server of one's own.
What does not: git (the folder forge clones), and what follows from a delivery.
"""

from conductor.adapters.github.configured import configured
from conductor.adapters.github.hosting import GitHubHosting
from conductor.adapters.github.manifest import Credentials, convert, manifest
from conductor.adapters.github.site import App, GitHubSite

__all__ = ["App", "Credentials", "GitHubHosting", "GitHubSite", "configured", "convert", "manifest"]
