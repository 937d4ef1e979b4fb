"""Compose files to `Stack`. Pure but for one reader that is confined to the checkout; files are phases."""
