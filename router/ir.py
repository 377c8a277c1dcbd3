"""Neutral data that rooms hand to each other: what a peek found in a request, what a tap read from an answer."""

from typing import Literal

import msgspec

Protocol = Literal["messages", "chat", "responses"]


class Facts(msgspec.Struct, frozen=True):
    """What routing needs to know of a request; filled by `wire`, read by `policy`.

    protocol: the protocol of the call; None for other paths under /v1. model: as the caller named it, None when the
    request names none. stream: the caller asked for server-sent events. generates: a model is to write text. owner:
    the name of the backend that issued an id the request names, None when there is none or nobody remembers it.
    """

    protocol: Protocol | None
    model: str | None
    stream: bool
    generates: bool = False
    owner: str | None = None


class Usage(msgspec.Struct):
    """Token counts of one answer; None where the upstream did not say. cache_* are part of no other field.

    input: tokens read uncached. output: tokens written, with reasoning. reasoning: that part of output.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
