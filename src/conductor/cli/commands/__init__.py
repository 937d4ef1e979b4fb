"""The commands, a file for each noun. Each takes what was typed, asks one operation, prints what it answers."""
