"""Secrets from files outside the repository and from the process environment."""
