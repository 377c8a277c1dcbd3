"""The times of one stream."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class StreamTimeouts:
    """Times of one stream, in seconds of trio's clock."""

    #: When a 2xx stream is committed, whatever has come of it.
    commit_by: float
    #: When the whole answer has taken too long.
    end_by: float
    #: How long the upstream may be silent.
    idle: float
