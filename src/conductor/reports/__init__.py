"""From what the tests left to what a reader sees: JUnit in, judgement, and the report as text.

What belongs here: pure functions, bytes and values in, values and text out. What does not: reading files, asking an engine, the time.
Every text in here came from a repository or its containers: it is cleaned when it is read and escaped where it is written.
"""
