"""Starts trio for a command, so that an interrupt from the keyboard ends it in one way."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import trio

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


def run_async(
    function: Callable[[*_Arguments], Awaitable[_Result]], *arguments: *_Arguments, clock: trio.abc.Clock | None = None
) -> _Result:
    """Run an async function to its end, with what it returns or raises. clock: as for trio.run.

    KeyboardInterrupt is raised only where the function waits. By default trio lets Python raise it between any two
    instructions of the function, for instance between the call of a coroutine and its await, which Python reports on
    stderr ("was never awaited"), or between the start of a process and the block that ends it, which leaves it running.
    """
    return trio.run(  # noqa: TID251
        function, *arguments, clock=clock, restrict_keyboard_interrupt_to_checkpoints=True
    )
