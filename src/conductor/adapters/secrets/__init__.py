"""Secrets from files outside the repository and from the process environment.

What belongs here: finding values. What does not: who gets which; the plan says that.
"""

from conductor.adapters.secrets.embedded import EmbeddedSecrets

__all__ = ["EmbeddedSecrets"]
