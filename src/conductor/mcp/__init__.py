"""Conductor for agents: the tools, resources and prompts of its MCP server, over standard input and output or over HTTP.

What belongs here: how an operation is offered to a model, and how its answer is put so that it fits. What does not: what any of them
does, which is in `operations`, and whom a request comes from, which whoever makes the server says.
"""
