"""What Conductor needs from the world, as Protocols; the laws are in the docstrings.

What belongs here: interfaces and the records that cross them. What does not: any implementation, any product's name.
"""
