"""The time limits of a client connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time limits of a client connection, in seconds."""

    first: float = 10.0  #: until the first byte of the first request
    idle: float = 120.0  #: until the first byte of the next request
    head: float = 10.0  #: from the first byte of a request head to its last
    body: float = 30.0  #: between two reads of a request body
    stalled: float = 300.0  #: until the client reads on, once its window is full
    linger: float = 1.0  #: for reading on after our side was closed
    unread: float = 3.0  #: for the client to read an answer that stays without its end
