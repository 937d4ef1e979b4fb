"""`.conductor.yaml` to `Plan`."""
