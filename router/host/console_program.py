"""A program on the console of this process, on Windows.

Rules of this file: no process group of its own, since the program would get no Ctrl-C then; this process has a handler
that takes Ctrl-C for done, and never tells the system to ignore it, which started programs would inherit. A job ends
the program with this process; what the program starts may leave it.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from router.host.foreground import NOT_EXECUTABLE, Ended, make_start_error

_CTRL_C, _CTRL_BREAK = 0, 1
_SCRIPTS = (".cmd", ".bat")
# What the command processor, which runs such files, takes for something else inside of quotes, and outside of them:
# only words with spaces are quoted.
_MISREAD, _UNQUOTED = frozenset('"%\r\n'), frozenset("&|<>^")
_EXTENDED_LIMITS, _KILL_ON_CLOSE, _BREAKAWAY_OK = 9, 0x2000, 0x0800


def check_script_arguments(path: str, arguments: Sequence[str]) -> None:
    """Raise CommandError for arguments that the file would not get as they are: it is a script of the command
    processor, which expands variables and ends quotes in them."""
    if not path.lower().endswith(_SCRIPTS):
        return
    wrong = next((word for word in arguments if set(word) & (_MISREAD if " " in word else _MISREAD | _UNQUOTED)), None)
    if wrong is not None:
        raise make_start_error(
            f"{path} is a script of the command processor, which would change the argument {wrong!r}.",
            "Name the program that the script starts instead, such as:   fairlead run -- node SCRIPT.js …",
            NOT_EXECUTABLE,
        )


def run_in_console(path: str, words: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Start a program and wait until it ends: its exit code, of 32 bits. Raises CommandError."""
    check_script_arguments(path, words[1:])
    with _Handler():
        try:
            process = subprocess.Popen([path, *words[1:]], env=dict(environ), close_fds=True)  # noqa: S603
        except OSError as error:
            raise make_start_error(f"{path} cannot be started: {error.strerror}.", "", NOT_EXECUTABLE) from None
        job = _hold_in_job(process)
        try:
            while True:
                try:
                    return Ended(process.wait())
                except KeyboardInterrupt:
                    # It was the program's, too.
                    continue
        finally:
            if job:
                _kernel().CloseHandle(job)


def _kernel() -> Any:
    return ctypes.windll.kernel32  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


class _Handler:
    """The console handler while a program runs."""

    def __enter__(self) -> None:
        if sys.platform != "win32":
            return
        kind: Any = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
        # Kept, since the system calls it later.
        self._handler = kind(_takes)
        _kernel().SetConsoleCtrlHandler(self._handler, True)

    def __exit__(self, *_: object) -> None:
        if sys.platform == "win32":
            _kernel().SetConsoleCtrlHandler(self._handler, False)


def _takes(event: int) -> int:
    """Whether an event of the console is dealt with here: nothing is done, and this process does not end."""
    return int(event in (_CTRL_C, _CTRL_BREAK))


def _hold_in_job(process: "subprocess.Popen[bytes]") -> int:
    """The handle of a job that ends the program once this process has ended; 0 where the system has none for it."""
    if os.name != "nt":
        return 0
    kernel = _kernel()
    job = kernel.CreateJobObjectW(None, None)
    if not job:
        return 0
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION, of which the flags alone are set: two times of 64 bits stand before them.
    limits = (ctypes.c_ubyte * (144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112))()
    flags = (_KILL_ON_CLOSE | _BREAKAWAY_OK).to_bytes(4, "little")
    ctypes.memmove(ctypes.addressof(limits) + 16, flags, 4)
    handle: Any = process._handle  # pyright: ignore
    fine = kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, limits, len(limits))
    if not fine or not kernel.AssignProcessToJobObject(job, handle):
        kernel.CloseHandle(job)
        return 0
    return job
