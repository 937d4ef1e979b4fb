"""One file for each step; the file's name is the step. Steps reach the world through the one bundle of ports."""
