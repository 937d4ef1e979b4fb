"""Evidence in a folder: logs, reports and artifacts of runs.

What belongs here: the layout of the folder and the format of log files. What does not: what is worth keeping.
"""

from conductor.adapters.evidence.folder import FolderEvidence

__all__ = ["FolderEvidence"]
