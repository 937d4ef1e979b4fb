"""The command line: a skin over operations, imported lazily so that it answers at once."""
