"""All that Conductor knows of the Docker API: Docker, or Podman, on a socket."""
