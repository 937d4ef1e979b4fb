"""The values that Conductor speaks in: frozen, complete, without I/O and without a clock.

What belongs here: records and pure functions over them. What does not: anything that reads a file, asks the time or names a product.
"""
