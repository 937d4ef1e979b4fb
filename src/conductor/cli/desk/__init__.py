"""The desk: whom commands ask. This machine, or a server; what they print is the same.

What belongs here: how each question is put. What does not: what a command takes and prints.
"""
