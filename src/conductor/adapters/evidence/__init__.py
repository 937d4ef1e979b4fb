"""Evidence in a folder."""
