"""The way to the engine: which socket, one client for each event loop, and Podman's service where no engine runs yet."""
