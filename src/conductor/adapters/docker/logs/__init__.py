"""What containers wrote, from the engine's frames or files to whole lines."""
