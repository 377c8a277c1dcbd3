"""Who started this process in the background, and is told how its start goes (`host.own_program` is its other side).

Rules of this file: one variable says that there is a starter, and which sockets it hands over; it is taken out of the
environment before anything else is started. Standard output is the starter's pipe until then, and the log afterwards;
neither the pipes nor the sockets are inherited by what this process starts.
"""

import contextlib
import os
import stat
from collections.abc import MutableMapping, Sequence
from typing import Literal

import msgspec

from router.errors import CommandError

VARIABLE = "FAIRLEAD_STARTED_BY"


class Given(msgspec.Struct, kw_only=True):
    """What a starter hands over."""

    #: Descriptors of listening sockets; none where the proxy is to open its own.
    sockets: list[int] = []
    #: True when what was started ends with the starter, which holds the other end of its standard input until then.
    tied: bool = False


class Report(msgspec.Struct, kw_only=True):
    """What a process that was started in the background says of its start."""

    #: `ready` once it could serve and waits for its turn, `serving` once it does; `taken` when its port is, `failed`
    #: for all other errors.
    kind: Literal["ready", "serving", "taken", "failed"]
    pid: int = 0
    version: str = ""
    #: What its user is told of a start, on standard output and on standard error.
    lines: list[str] = []
    notes: list[str] = []
    #: The error and what to do about it.
    message: str = ""
    hint: str = ""
    exit_code: int = 1
    #: Of a port that is taken: as `AddressTaken` has it.
    port: int = 0
    companion: str = ""


class Starter:
    """The starter of this process. sockets: the descriptors that it handed over. tied: as `Given` has it."""

    def __init__(self, sockets: tuple[int, ...], report: int, turn: int, *, tied: bool = False):
        self.sockets = sockets
        self.tied = tied
        self._report = report
        self._turn = turn

    def report(self, report: Report) -> None:
        """Say how the start goes. One that has ended is not missed: what serves goes on to serve."""
        data = msgspec.json.encode(msgspec.structs.replace(report, pid=os.getpid())) + b"\n"
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._report, data) :]

    def wait_for_turn(self) -> None:
        """Wait until the starter stops accepting connections, or has ended. Blocks."""
        self.report(Report(kind="ready"))
        with contextlib.suppress(OSError):
            os.read(self._turn, 1)

    def wait_for_end(self) -> None:
        """Wait until the starter, to which this process is tied, has ended, however it did. Blocks."""
        with contextlib.suppress(OSError):
            while os.read(self._turn, 1):
                pass

    def close(self) -> None:
        """Say nothing more."""
        for descriptor in (self._report, *(() if self.tied else (self._turn,))):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def take_starter(environ: MutableMapping[str, str]) -> Starter | None:
    """The starter of this process, None where it was started in the foreground. Raises CommandError."""
    text = environ.pop(VARIABLE, None)
    if text is None:
        return None
    try:
        given = msgspec.json.decode(text, type=Given)
        sockets = tuple(given.sockets)
        _check_descriptors(sockets, tied=given.tied)
        for descriptor in sockets:
            os.set_inheritable(descriptor, False)
        # Duplicates are not inherited.
        report, turn = os.dup(1), os.dup(0)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.dup2(2, 1)
        os.close(empty)
    except (msgspec.DecodeError, OSError, OverflowError, ValueError) as error:
        raise CommandError(
            f"${VARIABLE} is set, which fairlead sets itself for what it starts in the background: {error}.",
            f"Unset it:   unset {VARIABLE}",
        ) from None
    return Starter(sockets, report, turn, tied=given.tied)


def _check_descriptors(sockets: Sequence[int], *, tied: bool) -> None:
    """Raise ValueError or OSError where the standard descriptors or the sockets are none that a starter gives: the
    variable was set by something else, and what is said on a pipe would be shown to a user."""
    pipes = (0, 1) if sockets or tied else (1,)
    if not all(stat.S_ISFIFO(os.fstat(descriptor).st_mode) for descriptor in pipes):
        raise ValueError("nothing that started this waits for its report")
    if len(set(sockets)) != len(sockets) or any(descriptor <= 2 for descriptor in sockets):
        raise ValueError("it names a descriptor that is no handed over socket")
    for descriptor in sockets:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ValueError(f"descriptor {descriptor} is no socket")
