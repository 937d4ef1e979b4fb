"""The command line: a thin skin over `operations`.

What belongs here: arguments, texts for terminals, exit codes, signals. What does not: anything that another surface would have to repeat.
Law: nothing heavy is imported before a command runs, so that `--help` answers at once.
"""
