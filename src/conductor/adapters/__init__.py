"""One folder for each outside system, with all that Conductor knows of it."""
