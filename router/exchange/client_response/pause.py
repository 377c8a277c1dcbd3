"""Why the relay of a stream pauses between two reads: what must be done where no read can be cut short."""

from typing import NamedTuple

from router.net.stream import Bytes
from router.wire.dialect import Failure


class Pause(NamedTuple):
    """Why reading the upstream pauses."""

    #: The upstream's body ended.
    ended: bool = False
    #: Bytes that the client's socket did not take.
    rest: Bytes = b""
    #: Events that are to be read in the thread for large work.
    large: bytes = b""
    #: The answer is an error, and nothing was sent.
    failure: Failure | None = None


ENDED = Pause(ended=True)
