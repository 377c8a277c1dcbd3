"""What a parent hands to a worker that it starts: one variable, taken out of the environment at once."""

import os
import socket
import sys
from collections.abc import MutableMapping

import msgspec

from router import __version__
from router.errors import CommandError

VARIABLE = "FAIRLEAD_WORKER_OF"


class Given(msgspec.Struct, kw_only=True):
    """What a worker gets."""

    #: Descriptors of the listening sockets.
    sockets: list[int]
    #: Descriptor of its end of the channel.
    channel: int
    #: The parent.
    parent: int
    #: Counts the workers, from 1.
    name: int
    #: Names the port among all of a team.
    port: str = ""
    #: The parent's version: the program may have been replaced since it was started.
    version: str = ""


def take_given(environ: MutableMapping[str, str]) -> Given | None:
    """What the parent of this worker gave it; None for a process that is none. Raises CommandError."""
    text = environ.pop(VARIABLE, None)
    if text is None:
        return None
    try:
        given = msgspec.json.decode(text, type=Given)
        # Else something else has set the variable.
        if sys.platform == "win32" or (given.parent != os.getppid() and not getattr(sys, "frozen", False)):
            raise ValueError("the process that started this is no fairlead")
        for descriptor in (*given.sockets, given.channel):
            os.set_inheritable(descriptor, False)
        with socket.socket(fileno=os.dup(given.channel)) as channel:
            if channel.family != socket.AF_UNIX:
                raise ValueError("its channel is none")
        if given.version != __version__:
            raise CommandError(
                f"fairlead {given.version} runs and {__version__} is installed: its workers cannot be started again.",
                "Restart it:   fairlead restart",
            )
    except (msgspec.DecodeError, OSError, OverflowError, ValueError) as error:
        raise CommandError(
            f"${VARIABLE} is set, which fairlead sets itself for its workers: {error}.",
            f"Unset it:   unset {VARIABLE}",
        ) from None
    return given
