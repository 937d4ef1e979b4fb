"""Steps of a development environment's life, one file each."""
