"""Sends a build its context: the archive, packed while it goes, on the standard input of Kaniko's container.

The websocket takes no more than the pod reads, so a context of any size is never in memory whole. A container's input can be sent once:
one that was cut off fails, and is told by `endings.is_cut_off`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import POD
from conductor.adapters.kubernetes.kaniko.job import BUILD
from conductor.adapters.kubernetes.streams.sockets import COMMANDS, STDIN, opened
from conductor.building.context import CHUNK, Context, archive
from conductor.errors import ConductorError

_GZIP = 16 + zlib.MAX_WBITS
_FAST = 1
_TRIES = 5
_PAUSE = 0.5


async def feed(client: Client, namespace: str, pod: str, context: Context) -> None:
    """Send the context to the build in a pod; returns once its container has ended or takes no more.

    What goes wrong is not raised: the build says that it was cut off. Only where nothing was sent yet it is tried again.
    """
    for _ in range(_TRIES):
        sent = [0]
        try:
            await _feed_once(client, namespace, pod, context, sent)
        except ConductorError:
            if sent[0]:
                return
        else:
            return
        await asyncio.sleep(_PAUSE)


async def _feed_once(client: Client, namespace: str, pod: str, context: Context, sent: list[int]) -> None:
    words = [("container", BUILD), ("stdin", "true"), ("stdout", "false"), ("stderr", "false")]
    path = POD.path(namespace, pod, "attach")
    async with opened(
        client, path, words, protocol=COMMANDS, doing=f"sending the context to {pod}"
    ) as socket:
        async for piece in packed(context):
            await socket.send(STDIN, piece)
            sent[0] += len(piece)
        await socket.end(STDIN)
        while await socket.receive() is not None:
            pass


async def packed(context: Context) -> AsyncIterator[bytes]:
    """Yield the archive of a context, gzipped; files are read on a thread."""
    pieces = _packed(archive(context))
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    ready = bytearray()
    for piece in pieces:
        ready += packing.compress(piece)
        if len(ready) >= CHUNK:
            yield bytes(ready)
            ready.clear()
    yield bytes(ready) + packing.flush()
