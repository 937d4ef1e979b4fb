"""Plain workspaces: a container or pod of the prebuilt image, by the engine's own verbs."""
