"""All that Conductor knows of Kubernetes: `manifests` (pure conversion) and, beside it, what talks to an API server."""
