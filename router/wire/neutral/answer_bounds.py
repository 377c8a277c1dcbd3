"""How many of each thing one answer may have, whatever its protocol.

Answers of real models stay far below these bounds. Without them an upstream can have megabytes of calls, items or
choices translated, each of which costs much more than its bytes: time on the loop, and memory here and at the client.
"""

from typing import NamedTuple

import msgspec

from router.ir import Fault
from router.wire.raw import json_values, large_json


class Bound(NamedTuple):
    """A bound of one answer."""

    #: What is counted, as the error names it.
    what: str
    limit: int


CALLS = Bound("tool calls", 1024)
CHOICES = Bound("choices", 256)
#: Output items of Responses, content blocks of Messages.
ITEMS = Bound("output items", 4096)
#: Parts of one message, or of one summary of reasoning.
PARTS = Bound("content parts", 4096)
#: Citations and annotations.
CITATIONS = Bound("citations", 4096)
#: Entries of `reasoning_details`.
ENTRIES = Bound("entries of reasoning", 4096)
#: Of JSON, in a body or an event of over LARGE bytes. The decoder holds the interpreter for all of them.
VALUES = Bound("JSON values", 1_000_000)
#: Of one list in such JSON. A list for each token that a model writes is shorter.
ENTRIES_OF_LIST = Bound("entries of one list", 131_072)
LARGE = 1 << 20
_STEP = 1 << 20


class TooMany(Exception):
    """An answer has more of something than its bound."""

    def __init__(self, bound: Bound):
        super().__init__(f"The upstream's answer has over {bound.limit:,} {bound.what}, the limit for one answer.")

    @property
    def fault(self) -> Fault:
        """The error that the caller gets."""
        return Fault(502, "api_error", str(self))


class AnswerCounts:
    """What one answer has had so far."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Bound, int] = {}

    def add(self, bound: Bound, count: int = 1) -> None:
        """Count more of something. Raises TooMany."""
        total = self._counts[bound] = self._counts.get(bound, 0) + count
        if total > bound.limit:
            raise TooMany(bound)


def check_length(found: object, bound: Bound) -> None:
    """Check the length of one list of an answer; other values pass. Raises TooMany."""
    if isinstance(found, list) and len(found) > bound.limit:  # pyright: ignore[reportUnknownArgumentType]
        raise TooMany(bound)


def decode_bounded(data: bytes) -> object:
    """The value of a whole answer, or of an event of one. Raises TooMany, and what is in UNREADABLE."""
    if len(data) <= LARGE:
        return json_values.decode_value(data)
    check_values(data)
    with json_values.collector_stopped():
        return large_json.decode(data, _check_entries)


def _check_entries(entries: list[msgspec.Raw]) -> None:
    check_length(entries, ENTRIES_OF_LIST)


def check_values(data: bytes) -> None:
    """Check that JSON has no more values than can be decoded at once. Signs within texts count too: a text with a
    million of them is no model's. Raises TooMany."""
    count = 0
    for at in range(0, len(data), _STEP):
        count += sum(data.count(sign, at, at + _STEP) for sign in (b",", b"[", b"{"))
        if count > VALUES.limit:
            raise TooMany(VALUES)
