"""Conductor runs integration tests and development environments. Start reading in `workflows/`."""
