"""The listening sockets of a proxy: opened by its settings, or taken over from the proxy before it."""

import errno
import socket
from collections.abc import Sequence

from router.errors import CommandError
from router.net.server.listen import AddressTaken, adopt_port, hold_port
from router.settings import Settings


class PortTaken(CommandError):
    """The port is in use. companion: as `AddressTaken` has it."""

    def __init__(self, port: int, companion: str):
        #: What completes `port N is taken by another program`.
        self.where = f" on {companion}, where localhost may lead too" if companion else ""
        super().__init__(
            f"port {port} is taken by another program{self.where}.", f"Use another port:   --port {port + 1}"
        )
        self.port = port
        self.companion = companion


def open_listeners(settings: Settings, given: Sequence[int] = ()) -> list[socket.socket]:
    """The bound sockets, the host's own first. given: descriptors of those that another process holds already. Raises
    PortTaken, CommandError."""
    if given:
        return _adopt(settings, given)
    try:
        return hold_port(settings.host, settings.port)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES) and settings.port:
            if isinstance(error, AddressTaken):
                raise PortTaken(settings.port, error.companion) from None
            raise CommandError(
                f"port {settings.port} may not be used by this account.", "Use a port from 1024 up."
            ) from None
        raise CommandError(f"cannot listen on {settings.host}: {error.strerror or error}.") from None


def _adopt(settings: Settings, given: Sequence[int]) -> list[socket.socket]:
    try:
        found = adopt_port(given, settings.host, settings.port)
    except OSError as error:
        raise CommandError(f"the port cannot be taken over: {error.strerror or error}.") from None
    if found is None:
        raise CommandError(
            f"host and port are {settings.host} and {settings.port} now, which is not where the running proxy listens: "
            "a restart keeps them.",
            "Stop and start it:   fairlead stop, then fairlead proxy --detach",
        )
    return found
