"""This program, started again in the background: by which words, with which environment, and what it says of its start.

Rules of this file: a session of its own, no terminal, no descriptor beside the standard ones and the sockets that are
handed over. Its standard output is a pipe on which it reports its start (`host.starter`); its standard input is where a
process that hands over gives it its turn. What is started is what started this process: nothing of it comes from a
request.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from router.host.child_process import find_working_folder, make_environment
from router.host.limits import make_child_options
from router.host.starter import VARIABLE, Given, Report

_REPORT_LIMIT = 65_536
_SHOWN = 300
_WAIT_SECONDS = 5.0
_END_SECONDS = 2.0


def find_words() -> tuple[str, ...]:
    """The words that start this program, without its arguments. Links stay links: an upgrade points them elsewhere."""
    if getattr(sys, "frozen", False):
        return (_find_frozen(sys.argv[0], sys.executable),)
    options = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    # A script is named as it was called, which may be from another folder.
    module = len(options) > 1 and options[-2] in ("-m", "-c")
    if options and not module and os.path.isfile(options[-1]):
        options[-1] = os.path.abspath(options[-1])
    return (sys.executable, *options)


def name_program(words: Sequence[str]) -> str:
    """The file that the words of `find_words` start."""
    return words[-1] if os.path.isabs(words[-1]) else words[0]


def _find_frozen(called: str, real: str) -> str:
    """The path by which a frozen program was called; its loader knows only what that leads to. real: the latter."""
    found = called if os.path.dirname(called) else shutil.which(called)
    if found is None or os.path.realpath(found) != os.path.realpath(real):
        return real
    return os.path.abspath(found)


class BackgroundProgram:
    """A program that was started in the background. Its methods block, and are for a thread."""

    def __init__(self, process: "subprocess.Popen[bytes]"):
        self._process = process
        # It said that it has failed, and so ends by itself.
        self._ending = False

    def read_report(self) -> Report:
        """The next thing it says of its start; a failure where it says nothing more, or something else."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_REPORT_LIMIT)
        try:
            report = msgspec.json.decode(line, type=Report)
            self._ending = report.kind in ("failed", "taken")
            return report
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        said = line.decode("utf-8", "replace").strip()[:_SHOWN]
        if said:
            return Report(kind="failed", message=f"the program that was started said something unexpected: {said}")
        try:
            code = self._process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            return Report(kind="failed", message="the program that was started did not say whether it serves.")
        return Report(kind="failed", message=f"the program that was started ended with exit code {code}.")

    def give_turn(self) -> None:
        """Let it serve. Raises OSError when it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def let_go(self) -> None:
        """Leave it to itself."""
        self._close()
        # It outlives this process, on purpose: without a code the interpreter would warn of a forgotten child.
        self._process.returncode = self._process.returncode or 0

    def kill(self) -> None:
        """End it, with all it has started. It is told to first and has a moment for that, since the loader of the
        single-file form then removes the files that it unpacked."""
        if sys.platform != "win32" and not self._ending:
            self._signal(signal.SIGTERM)
        if sys.platform != "win32" or self._ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
                self._close()
                return
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)
        elif self._process.poll() is None:
            kill = ["taskkill", "/T", "/F", "/PID", str(self._process.pid)]
            subprocess.run(kill, check=False, capture_output=True)  # noqa: S603
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_WAIT_SECONDS)
        self._close()

    def _signal(self, number: int) -> None:
        """Send a signal to it and to all it has started."""
        if sys.platform != "win32":
            # PermissionError: on macOS when only a zombie is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def start_again(
    words: Sequence[str],
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    log: int,
    sockets: Sequence[int] = (),
    tied: bool = False,
) -> BackgroundProgram:
    """Start this program in the background. words: of `find_words`. log: the descriptor of its standard error. sockets:
    descriptors that it inherits. tied: whether it ends with this process. Raises OSError, ValueError."""
    own = make_environment(environ, own=True)
    own[VARIABLE] = msgspec.json.encode(Given(sockets=list(sockets), tied=tied)).decode()
    process: Any = subprocess.Popen(  # noqa: S603 - the words that started this process
        [*words, *arguments],
        stdin=subprocess.PIPE if sockets or tied else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=find_working_folder(),
        env=own,
        **_make_options(sockets),
    )
    return BackgroundProgram(process)


def _make_options(sockets: Sequence[int]) -> dict[str, Any]:
    if sys.platform == "win32":
        # Without a console it gets no Ctrl-C of this one, and no window.
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags}
    return {"start_new_session": True, "umask": 0o077, "pass_fds": tuple(sockets), **make_child_options()}
