"""The tools, by what they are about.

A tool is an async function: a visit and what was asked in, an answer out; its docstring is for models.
"""
