"""A program in the foreground of this terminal, and this process, which waits for it.

Rules of this file: the program stays in this process's group and has its terminal, so that Ctrl-C, Ctrl-Z, a new size
and a hang-up reach both from the kernel, once each; none of them is sent again. Only what was sent to this process
alone is passed on. Signals are handled, not ignored: what is ignored stays so in a started program. The program gets
what this process got: limits, mask, folder, and descriptors of the shell (`<(…)`); those of this process are closed.
"""

import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from router.errors import CommandError

#: Exit codes of shells: for a program that is not there, and for one that cannot be executed.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_SIGNAL_BASE = 128


class Ended(NamedTuple):
    """How a program ended."""

    #: Its exit code; 128 and the signal's number for one that a signal ended.
    code: int
    #: The number of that signal, else 0.
    signal: int = 0


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """The file that a name means to a shell with this environment. Raises CommandError with the exit code of shells."""
    folders = os.get_exec_path(environ)
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is not None:
        return found
    beside = os.path.dirname(name)
    places = [name] if beside else [os.path.join(folder, name) for folder in folders]
    place = next((one for one in places if os.path.exists(one)), None)
    if place is None:
        where = "does not exist" if beside else "was not found on PATH"
        raise make_start_error(f"{name} {where}.", "Check its name, or install it.", NOT_FOUND)
    what = "is a folder" if os.path.isdir(place) else "is not executable by this user"
    raise make_start_error(f"{place} {what}.", f"See:   ls -l {place}", NOT_EXECUTABLE)


def make_start_error(message: str, hint: str, code: int) -> CommandError:
    """The error for a program that cannot be started. code: the exit code."""
    error = CommandError(message, hint)
    error.exit_code = code
    return error


def run_in_foreground(path: str, words: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Start a program and wait until it ends; on Windows that is `console_program.run_in_console`. words: its name and
    its arguments. For the main thread. Raises CommandError when it cannot be started."""
    child = _Child()
    with _keeping_terminal() as restore, _handling(child):
        if child.interrupted:
            raise KeyboardInterrupt
        child.pid = _start(path, words, environ)
        ended = child.wait()
        if ended.signal:
            restore()
    return ended


def end_as(ended: Ended) -> None:
    """Let Ctrl-C end this process too where it ended the program, so that a script that called this one stops. Returns
    for all others."""
    if sys.platform == "win32" or ended.signal != signal.SIGINT or not _has_terminal_input():
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


class _Child:
    """The program and what is passed on to it."""

    def __init__(self) -> None:
        self.pid = 0
        #: True once Ctrl-C came before the program was there.
        self.interrupted = False
        self._ended = False
        self._had_terminal = _opens_terminal()

    def wait(self) -> Ended:
        assert sys.platform != "win32"
        if sys.platform != "darwin":  # it has no waitid
            # It is still there after this, so that its number is nobody else's while a signal is passed on.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self._ended = True
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code) if code >= 0 else Ended(_SIGNAL_BASE - code, -code)

    def stay(self, number: int, frame: FrameType | None) -> None:
        """For a signal that the program got from the terminal."""
        self.interrupted = self.interrupted or not self.pid

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """For a signal that this process got alone."""
        if self.pid and not self._ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def pass_on_hangup(self, number: int, frame: FrameType | None) -> None:
        """A hang-up of the terminal reaches the whole group, from the kernel or from the shell, and the terminal is
        gone by then; only the leader of the session is told alone."""
        assert sys.platform != "win32"
        gone = self._had_terminal and not _opens_terminal()
        if not gone or os.getsid(0) == os.getpid():
            self.pass_on(number, frame)


def _start(path: str, words: Sequence[str], environ: Mapping[str, str]) -> int:
    assert sys.platform != "win32"
    # Python ignores these two, for itself.
    restored = [number for name in ("SIGPIPE", "SIGXFSZ") if (number := getattr(signal, name, None)) is not None]
    try:
        # Between fork and exec no Python code runs: threads may hold locks.
        return os.posix_spawn(path, list(words), dict(environ), setsigdef=restored)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            why = "names an interpreter that does not exist" if os.path.exists(path) else "does not exist"
            raise make_start_error(f"{path} {why}.", f"See its first line:   head -1 {path}", NOT_FOUND) from None
        if error.errno == errno.ENOEXEC:
            message = f"{path} is neither a program of this system nor a script with a first line `#!…`."
            raise make_start_error(message, f"Name its interpreter:   sh {path}", NOT_EXECUTABLE) from None
        if error.errno == errno.E2BIG:
            message = f"{path} cannot be started: arguments and environment are too long."
            raise make_start_error(message, "", NOT_EXECUTABLE) from None
        raise make_start_error(f"{path} cannot be started: {error.strerror}.", "", NOT_EXECUTABLE) from None
    except ValueError:
        raise make_start_error("an argument or a variable holds a zero byte.", "", NOT_EXECUTABLE) from None


@contextlib.contextmanager
def _handling(child: _Child) -> Generator[None]:
    """Handle the signals of this process while a program runs. One that was ignored stays so (nohup, a background job
    of a script)."""
    assert sys.platform != "win32"
    wanted: dict[int, Callable[[int, FrameType | None], Any]] = {
        signal.SIGINT: child.stay,
        signal.SIGQUIT: child.stay,
        signal.SIGTERM: child.pass_on,
        signal.SIGHUP: child.pass_on_hangup,
    }
    before: dict[int, Any] = {}
    try:
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            # Nobody could learn how the program ended.
            before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in wanted.items():
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _keeping_terminal() -> Generator[Callable[[], None]]:
    """Keeps the modes of the terminal; the function that it yields brings them back."""
    assert sys.platform != "win32"
    import termios

    terminal = next((number for number in (0, 1, 2) if os.isatty(number)), None)
    modes: Any = None
    if terminal is not None:
        with contextlib.suppress(termios.error):
            modes = termios.tcgetattr(terminal)

    def restore() -> None:
        assert sys.platform != "win32"
        if terminal is None or modes is None:
            return
        # From the background this would stop the process; another program has the terminal then.
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)

    yield restore


def _opens_terminal() -> bool:
    """True while this process has a terminal."""
    assert sys.platform != "win32"
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _has_terminal_input() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False
