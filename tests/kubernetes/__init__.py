"""Tests of what Conductor knows of Kubernetes, and the fake API server that they share."""
