"""Ctrl-C, as a run understands it: the first one cancels the run, the second one leaves at once.

Law: a shutdown is no cancellation. SIGTERM and SIGHUP leave at once, and the run can be resumed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130


@contextmanager
def interruptible(
    *, left: str, on_first: Callable[[], None], before_leaving: Callable[[], None]
) -> Iterator[None]:
    """Answer the signals inside the block; `before_leaving` puts the terminal back, `left` is said to who left."""
    loop = asyncio.get_running_loop()
    seen = 0

    def interrupt() -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            on_first()
        else:
            leave()

    def leave() -> None:
        before_leaving()
        sys.stderr.write(f"{left}\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)

    answers = {signal.SIGINT: interrupt, signal.SIGTERM: leave, signal.SIGHUP: leave}
    for number, act in answers.items():
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in answers:
            loop.remove_signal_handler(number)
