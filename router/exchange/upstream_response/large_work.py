"""Work on large pieces of answers, which would delay every other stream: it runs in the thread for large bodies.

The thread takes one piece at a time, in turn (fair_thread.py), so no stream waits for many pieces of another. What the
work changes must belong to its stream alone; for anything shared there is `run_on_loop`.
"""

from collections.abc import Callable
from types import MethodType
from typing import TypeVar, TypeVarTuple

import trio

from router.exchange.body.body import THREAD, THREAD_BYTES
from router.exchange.body.fair_thread import run_beside_loop, size_of
from router.wire.raw import scan

_JSON_BYTES = 128 << 10
_MEDIUM = trio.CapacityLimiter(1)
_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


def is_large(size: int) -> bool:
    """True for so many bytes that they are worked on in the thread."""
    return size > THREAD_BYTES


def is_large_json(size: int) -> bool:
    """True for so many bytes that they are translated in a thread: that takes much longer than their relay, up to a
    second for a megabyte. What one read of a socket brings is not."""
    return size > _JSON_BYTES


async def run_large(work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Run the work in the thread. When cancelled it has not begun; once it has begun its result is returned."""
    # The pieces of one stream are worked on by methods of one object.
    flow = id(work.__self__) if isinstance(work, MethodType) else None
    return await THREAD.run(flow, max(THREAD_BYTES, size_of(arguments)), work, *arguments)


async def run_json(size: int, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Translate so many bytes: in the loop's thread, in the thread for large work, or, between these, in one of their
    own, where none waits for the seconds that large work may take. As `run_large` when cancelled."""
    if size <= _JSON_BYTES:
        return work(*arguments)
    if is_large(size):
        return await run_large(work, *arguments)
    return await run_beside_loop(work, *arguments, limiter=_MEDIUM)


async def contains(data: bytes | bytearray, needle: bytes) -> bool:
    """As `needle in data`, and others run meanwhile. Nothing changes when cancelled."""
    for at in range(0, len(data), scan.STEP):
        if at:
            await trio.lowlevel.checkpoint()
        if data.find(needle, at, at + scan.STEP + len(needle) - 1) >= 0:
            return True
    return False


def run_on_loop(work: Callable[[*_Arguments], None], *arguments: *_Arguments) -> None:
    """Run what changes shared state in trio's thread, from either thread."""
    if trio.lowlevel.in_trio_run():
        work(*arguments)
        return
    try:
        trio.from_thread.run_sync(work, *arguments)
    except RuntimeError:
        work(*arguments)  # no trio runs at all
