"""Loki: where lines of logs are searched together; Conductor's own archive is what pages and commands read."""
