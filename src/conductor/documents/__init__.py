"""YAML that somebody else wrote: guards against bombs, positions, problems with file, line and caret.

What belongs here: from bytes to plain data with places. What does not: the meaning of any key of any file.
Files are phases: `text` (bytes to text), `parse` (text to nodes, with the guards), `scalars` (what a plain word is), `document`.
"""
