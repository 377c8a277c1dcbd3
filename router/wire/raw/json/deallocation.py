"""Frees what was decoded of large JSON in steps.

With the last reference to a list of a million values all of them are freed in one call, which keeps the interpreter's
lock for 40 ms and more. So what reads large JSON notes each list and object that it fills window by window. When the
work on it has ended, their entries are held for a moment longer: so the lists and objects go first, each without its
entries, and then one entry after the other.
"""

import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, TypeVarTuple

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")
_Container = list[Any] | dict[str, Any]

# What is freed in steps when the work that runs has ended; None outside such work.
_noted: ContextVar[list[_Container] | None] = ContextVar("noted", default=None)


def note(container: _Container) -> None:
    """Have the entries of a list or an object freed in steps when the work that runs has ended."""
    noted = _noted.get()
    if noted is not None:
        noted.append(container)


def free_in_steps(work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Run work, and free what it decoded of large JSON in steps; what its result holds stays. Raises what the work
    does, and what the work held is not held by the error's traceback."""
    noted: list[_Container] = []
    before = _noted.set(noted)
    try:
        return work(*arguments)
    except BaseException as error:
        _clear_frames(error)
        raise
    finally:
        _noted.reset(before)
        _free(noted)


def _clear_frames(error: BaseException | None) -> None:
    """Forget the local variables of an error's way, and of the error it came from."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _free(noted: list[_Container]) -> None:
    entries: list[object] = []
    # They were noted from the outside in, and are freed so: the last of `entries` goes first.
    while noted:
        container = noted.pop()
        if isinstance(container, dict):
            entries += container
            entries += container.values()
        else:
            entries += container
    container = None
    while entries:
        entries.pop()
