"""What a cluster has of a run: watched once for the whole process, and read with Compose's meaning."""
