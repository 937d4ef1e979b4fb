"""The folder forge: repositories as git finds them, on this machine or at a URL.

What belongs here: all that Conductor knows of the git CLI. What does not: GitHub's own interfaces, and what a checkout means.
"""

from conductor.adapters.folder.forge import FolderForge
from conductor.adapters.folder.git import Token
from conductor.adapters.folder.tree import Limits

__all__ = ["FolderForge", "Limits", "Token"]
