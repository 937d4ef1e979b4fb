"""START READING HERE. The stories of Conductor, one a file, one screen each."""
