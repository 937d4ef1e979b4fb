"""YAML that somebody else wrote: guards against bombs, positions, problems with file, line and caret."""
