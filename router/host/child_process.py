"""Programs that fairlead starts: their environment, the bounds of their output, and their end.

Rules of this file: no shell, no standard input, a session of their own, so that what a program starts ends with it
when its time is up. One that ended by itself may leave something behind (a password manager starts its agent so),
even with our pipes: what is left is neither waited for nor ended.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import trio

from router.errors import CommandError
from router.host.limits import for_children

# How long after a program's end its pipes may stay open in what it started.
GRACE_SECONDS = 0.5
_PIECE = 16384

# Ours, and those of the frozen binary's loader, which would make other frozen programs take it for themselves.
_OWN = ("FAIRLEAD_", "_PYI_", "_MEIPASS", "PYINSTALLER_")
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
# Without a terminal too: a program that would ask there fails at once.
_SESSION: dict[str, Any] = {} if sys.platform == "win32" else {"start_new_session": True}


class Ended(NamedTuple):
    """A program that ended. code: negative for a signal. err: the beginning of standard error."""

    code: int
    out: bytes
    err: bytes


class TooSlow(Exception):
    """The program was ended because its time was up."""


class TooMuch(Exception):
    """The program was ended because it printed more than it may."""


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: without our own variables, library paths as they were before fairlead's binary
    set them.

    What else is there stays. A password manager is the user's own program and can read what the user can, so a list
    of allowed names would keep nothing from it, and would break each manager whose variable it lacks.
    """
    frozen = any(name.startswith("_PYI_") for name in environ)
    found = {name: value for name, value in environ.items() if not name.startswith(_OWN)}
    for name in _LIBRARY_PATHS:
        original = found.pop(f"{name}_ORIG", "")
        if original:
            found[name] = original
        elif frozen:
            found.pop(name, None)
    return found


async def output_of(words: Sequence[str], environ: Mapping[str, str], *, seconds: float, limit: int) -> Ended:
    """Run a program to its end. seconds, limit: bounds of its time and of the bytes it prints. Raises CommandError
    when it cannot be started, TooSlow, TooMuch."""
    process = await _started(words, environ)
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    try:
        with trio.move_on_after(seconds) as patience:
            async with trio.open_nursery() as reading:
                reading.start_soon(_read, process.stdout, out, limit, reading.cancel_scope)
                reading.start_soon(_skim, process.stderr, err, limit)
                await process.wait()
                reading.cancel_scope.deadline = min(reading.cancel_scope.deadline, trio.current_time() + GRACE_SECONDS)
        if len(out) > limit:
            raise TooMuch
        if patience.cancelled_caught or process.returncode is None:
            raise TooSlow
        return Ended(process.returncode, bytes(out), bytes(err))
    except BaseException:
        with trio.CancelScope(shield=True):
            await _end(process)
        raise
    finally:
        with trio.CancelScope(shield=True):
            await process.stdout.aclose()
            await process.stderr.aclose()


async def _started(words: Sequence[str], environ: Mapping[str, str]) -> trio.Process:
    name = _expanded(words[0])
    try:
        return await trio.lowlevel.open_process(
            [name, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=_own_folder(),
            env=child_environment(environ),
            **_SESSION,
            **for_children(),
        )
    except FileNotFoundError:
        raise CommandError(f"the command {words[0]} {_missing(name)}.") from None
    except PermissionError:
        raise CommandError(f"the command {words[0]} is not executable by this user.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its arguments cannot be passed"
        raise CommandError(f"the command {words[0]} cannot be started: {reason}.") from None


def _expanded(name: str) -> str:
    return os.path.expanduser(name)


def _own_folder() -> str | None:
    """Where programs run: what one finds there must not depend on where the proxy was started."""
    own = os.path.expanduser("~")
    return own if os.path.isdir(own) else None


def _missing(name: str) -> str:
    if not os.path.isabs(name):
        return "was not found on PATH"
    # A script's first line names the program that runs it.
    return "names an interpreter that does not exist" if os.path.exists(name) else "does not exist"


async def _read(stream: trio.abc.ReceiveStream, into: bytearray, limit: int, all_of_it: trio.CancelScope) -> None:
    """Collect output; more than `limit` ends everything."""
    while data := await stream.receive_some(_PIECE):
        into += data
        if len(into) > limit:
            all_of_it.cancel()


async def _skim(stream: trio.abc.ReceiveStream, into: bytearray, limit: int) -> None:
    """Collect the beginning and read the rest away: a full pipe would stop the program."""
    while data := await stream.receive_some(_PIECE):
        into += data[: max(0, limit - len(into))]


async def _end(process: trio.Process) -> None:
    """End a program with all it started in its session."""
    if sys.platform == "win32":
        if process.returncode is None:
            kill = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            await trio.run_process(kill, capture_stdout=True, capture_stderr=True, check=False)
    else:
        # The number may also be refused: on macOS when only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with trio.move_on_after(GRACE_SECONDS):
        await process.wait()
