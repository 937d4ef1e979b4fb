"""The gate, which guards the addresses of a stack."""

from __future__ import annotations


async def serve_gate() -> None:
    """Guard the addresses of a stack, as the environment describes them, until cancelled."""
    from conductor.adapters.gate.server import serve

    await serve()
