"""All that Conductor knows of Kubernetes."""
