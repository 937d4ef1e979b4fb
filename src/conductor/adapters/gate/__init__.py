"""The gate: a small proxy in front of a kept stack, that lets in who has the stack's token.

What belongs here: judging a request, and passing it on. What does not: how the gate gets into a cluster; the kubernetes adapter makes that.
"""
