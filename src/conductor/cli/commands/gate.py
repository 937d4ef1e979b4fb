"""conductor gate: what guards the addresses of a stack in its namespace; people have `conductor stacks open --address`."""

from __future__ import annotations

import asyncio
import contextlib
import signal


def gate() -> None:
    """Let visitors of a stack in who have its token. Set by its environment alone."""
    from conductor.bootstrap import serve_gate

    async def work() -> None:
        task = asyncio.create_task(serve_gate())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(work())
