"""Programs that fairlead starts: their environment, the limits of their time and output, and how they are ended.

Rules of this file: no shell, no standard input, a session of their own, so that a program is killed with all it started
when its time is up. A program that ended by itself may leave others running, even with our pipes (password managers
start their agents so): those are neither waited for nor killed.
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
from router.host.limits import make_child_options

#: How long after a program's end its pipes are read while programs it started keep them open.
GRACE_SECONDS = 0.5
_PIECE = 16384

# Those of the frozen binary's loader, which other frozen programs would read as theirs.
_LOADER = ("_PYI_", "_MEIPASS", "PYINSTALLER_")
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
# It also has no controlling terminal: a program that would ask for a password there fails at once.
_SESSION: dict[str, Any] = {} if sys.platform == "win32" else {"start_new_session": True}


class CompletedProgram(NamedTuple):
    """A program that ended."""

    #: The exit code, negative for a signal.
    code: int
    #: Standard output.
    out: bytes
    #: The beginning of standard error.
    err: bytes


class ProgramTimeout(Exception):
    """The program was killed because its time was up."""


class OutputLimitExceeded(Exception):
    """The program was killed because it printed more than it may."""


def make_environment(environ: Mapping[str, str], *, own: bool = False) -> dict[str, str]:
    """The environment of a program: without fairlead's variables, with library paths as they were before its frozen
    binary set them. own: the program is fairlead itself, which keeps its settings and loses the loader's variables.

    All other variables stay. A password manager is the user's own program and can read what the user can, so a list
    of allowed names would hide nothing from it, and would break each manager whose variable it lacks.
    """
    frozen = any(name.startswith("_PYI_") for name in environ)
    hidden = _LOADER if own else (*_LOADER, "FAIRLEAD_")
    found = {name: value for name, value in environ.items() if not name.startswith(hidden)}
    for name in _LIBRARY_PATHS:
        original = found.pop(f"{name}_ORIG", "")
        if original:
            found[name] = original
        elif frozen:
            found.pop(name, None)
    return found


async def run_program(
    words: Sequence[str], environ: Mapping[str, str], *, seconds: float, limit: int, folder: str | None = None
) -> CompletedProgram:
    """Run a program to its end. seconds, limit: bounds of its time and of the bytes it prints. folder: the one it works
    in, by default the user's own. Raises CommandError when it cannot be started, ProgramTimeout, OutputLimitExceeded.
    """
    process = await _start(words, environ, folder or find_working_folder())
    # trio types the pipes as optional; `_start` asks for both.
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    try:
        with trio.move_on_after(seconds) as patience:
            async with trio.open_nursery() as reading:
                reading.start_soon(_read, process.stdout, out, limit, reading.cancel_scope)
                reading.start_soon(_read_beginning, process.stderr, err, limit)
                await process.wait()
                reading.cancel_scope.deadline = min(reading.cancel_scope.deadline, trio.current_time() + GRACE_SECONDS)
        if len(out) > limit:
            raise OutputLimitExceeded
        if patience.cancelled_caught or process.returncode is None:
            raise ProgramTimeout
        return CompletedProgram(process.returncode, bytes(out), bytes(err))
    except BaseException:
        with trio.CancelScope(shield=True):
            await _end(process)
        raise
    finally:
        with trio.CancelScope(shield=True):
            await process.stdout.aclose()
            await process.stderr.aclose()


async def _start(words: Sequence[str], environ: Mapping[str, str], folder: str | None) -> trio.Process:
    name = _expand_home(words[0])
    try:
        return await trio.lowlevel.open_process(
            [name, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=make_environment(environ),
            **_SESSION,
            **make_child_options(),
        )
    except FileNotFoundError:
        raise CommandError(f"the command {words[0]} {_describe_missing(name)}.") from None
    except PermissionError:
        raise CommandError(f"the command {words[0]} {_describe_denied(name, environ)}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its arguments cannot be passed"
        raise CommandError(f"the command {words[0]} cannot be started: {reason}.") from None


def _expand_home(name: str) -> str:
    return os.path.expanduser(name)


def find_working_folder() -> str | None:
    """The home directory, so that a program finds the same files wherever the proxy was started; None without one."""
    own = os.path.expanduser("~")
    return own if os.path.isdir(own) else None


def _describe_denied(name: str, environ: Mapping[str, str]) -> str:
    # A search of PATH ends so too when it met a folder that this user may not read, and found the name in no other.
    searched = sys.platform != "win32" and not os.path.dirname(name)
    folders = os.get_exec_path(environ) if searched else []
    if searched and not any(os.path.exists(os.path.join(folder, name)) for folder in folders):
        return "was not found on PATH, of which this user may not read every folder"
    return "is not executable by this user"


def _describe_missing(name: str) -> str:
    if not os.path.isabs(name):
        return "was not found on PATH"
    # A script's first line names the program that runs it.
    return "names an interpreter that does not exist" if os.path.exists(name) else "does not exist"


async def _read(stream: trio.abc.ReceiveStream, into: bytearray, limit: int, scope: trio.CancelScope) -> None:
    """Collect output; cancels `scope` beyond `limit` bytes."""
    while data := await stream.receive_some(_PIECE):
        into += data
        if len(into) > limit:
            scope.cancel()


async def _read_beginning(stream: trio.abc.ReceiveStream, into: bytearray, limit: int) -> None:
    """Collect the first `limit` bytes and discard the rest: a full pipe would block the program."""
    while data := await stream.receive_some(_PIECE):
        into += data[: max(0, limit - len(into))]


async def _end(process: trio.Process) -> None:
    """Kill a program with all it started in its session."""
    if sys.platform == "win32":
        if process.returncode is None:
            kill = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            await trio.run_process(kill, capture_stdout=True, capture_stderr=True, check=False)
    else:
        # PermissionError: on macOS when only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with trio.move_on_after(GRACE_SECONDS):
        await process.wait()
