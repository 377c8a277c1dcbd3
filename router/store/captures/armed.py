"""The capture of one coming request, while history.capture is off: a file of the home that proxies find, and that ends
by itself."""

import contextlib
import secrets
import time

import msgspec

from router.errors import CommandError
from router.store.home.home import Home

#: Its name; a proxy looks for changes of it.
FILE = "capture.next"
#: In place of a client's name: any.
ANY = "any"


class Armed(msgspec.Struct, frozen=True):
    """What is to be captured."""

    #: The client whose next request it is, as `policy.routing.clients` names it.
    client: str
    #: Seconds since 1970 after which nothing is captured any more.
    until: float
    #: Differs each time.
    token: str

    def fits(self, client: str, now: float) -> bool:
        """True for a request of this client that comes now (seconds since 1970)."""
        return self.client in (ANY, client) and now < self.until


def arm(home: Home, client: str, seconds: float) -> Armed:
    """Have the next request of a client captured that comes within so many seconds. Raises CommandError."""
    armed = Armed(client, time.time() + seconds, secrets.token_hex(8))
    home.write(FILE, msgspec.json.encode(armed))
    return armed


def read_armed(home: Home) -> Armed | None:
    """What is to be captured; None for nothing, or for what cannot be read."""
    try:
        data = home.read(FILE)
        found = None if data is None else msgspec.json.decode(data, type=Armed)
    except (CommandError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found is not None and time.time() < found.until else None


def claim(home: Home, armed: Armed) -> bool:
    """Take what is to be captured out of the home; False where another process has taken it, or something else is to
    be captured now. One process takes it: the one that removes the file. Blocks for a moment."""
    found = read_armed(home)
    if found is None or found.token != armed.token:
        return False
    try:
        return home.remove(FILE)
    except CommandError:
        # A home that cannot be written: all of its processes may capture one.
        return True


def disarm(home: Home) -> None:
    """Capture nothing more."""
    with contextlib.suppress(CommandError):
        home.remove(FILE)
