"""Who started this process in the background, and is told how its start goes (`host.own_program` is its other side).

Rules of this file: one variable says that there is a starter, and which sockets it hands over; it is taken out of the
environment before anything else is started. Standard output is the starter's pipe until then, and the log afterwards;
neither the pipes nor the sockets are inherited by what this process starts.
"""

import contextlib
import os
from collections.abc import MutableMapping
from typing import Literal

import msgspec

from router.errors import CommandError

VARIABLE = "FAIRLEAD_STARTED_BY"


class Given(msgspec.Struct, kw_only=True):
    """What a starter hands over."""

    #: Descriptors of listening sockets; none where the proxy is to open its own.
    sockets: list[int] = []


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
    """The starter of this process. sockets: the descriptors that it handed over."""

    def __init__(self, sockets: tuple[int, ...], report: int, turn: int):
        self.sockets = sockets
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

    def close(self) -> None:
        """Say nothing more."""
        for descriptor in (self._report, self._turn):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def take_starter(environ: MutableMapping[str, str]) -> Starter | None:
    """The starter of this process, None where it was started in the foreground. Raises CommandError."""
    text = environ.pop(VARIABLE, None)
    if text is None:
        return None
    try:
        sockets = tuple(msgspec.json.decode(text, type=Given).sockets)
        for descriptor in sockets:
            os.set_inheritable(descriptor, False)
        # Duplicates are not inherited.
        report, turn = os.dup(1), os.dup(0)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.dup2(2, 1)
        os.close(empty)
    except (msgspec.DecodeError, OSError, OverflowError) as error:
        raise CommandError(
            f"${VARIABLE} is set, which fairlead sets itself for what it starts in the background: {error}.",
            f"Unset it:   unset {VARIABLE}",
        ) from None
    return Starter(sockets, report, turn)
