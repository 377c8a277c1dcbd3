"""How many of each thing one answer may have, whatever its protocol.

Answers of real models stay far below these bounds. Without them an upstream can have megabytes of calls, items or
choices translated, each of which costs much more than its bytes: time on the loop, and memory here and at the client.
"""

from typing import NamedTuple

from router.ir import Fault
from router.wire.neutral.logprobs import MEMBER
from router.wire.raw import scan
from router.wire.raw.json import json_values, large_json


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
#: Of JSON, in a body or an event of over LARGE bytes: decoded they take up to 200 bytes each. Log probabilities, of
#: which there may be some millions, are not decoded there.
VALUES = Bound("JSON values", 1_000_000)
#: Of one list in such JSON. A list for each token that a model writes is shorter.
ENTRIES_OF_LIST = Bound("entries of one list", 131_072)
#: Of the same JSON. Texts are joined, and a text of so many bytes in half a millisecond for each MiB, or four times as
#: long when it has an emoji: in one call, in which nothing else runs.
BYTES = Bound("bytes beside log probabilities", 16 << 20)
LARGE = 1 << 20


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
    """The value of a whole answer, or of an event of one. Of a large one, log probabilities are not decoded. Raises
    TooMany, and what is in UNREADABLE."""
    if len(data) <= LARGE:
        return json_values.decode_value(data)
    count = size = 0

    def decode_part(part: bytes) -> object:
        nonlocal count, size
        found = json_values.decode_value(part)
        size += len(part)
        count += 0 if isinstance(found, str) else _count_values(part)
        for bound, reached in ((VALUES, count), (BYTES, size)):
            if reached > bound.limit:
                raise TooMany(bound)
        return found

    try:
        with json_values.collector_stopped():
            return large_json.decode(data, _check_entries, decode_part, raw=MEMBER)
    except json_values.UNREADABLE:
        check_values(data)  # what looks at it again does not count
        raise


def _check_entries(length: int) -> None:
    if length > ENTRIES_OF_LIST.limit:
        raise TooMany(ENTRIES_OF_LIST)


def _count_values(data: bytes) -> int:
    """The values in JSON, or a few more: signs within texts count too."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def check_values(data: bytes) -> None:
    """Check that what may be JSON has no more values than can be decoded at once, whatever they are; a text with a
    million signs is no model's. Raises TooMany."""
    count = 0
    for at in range(0, len(data), scan.STEP):
        count += _count_values(data[at : at + scan.STEP])
        if count > VALUES.limit:
            raise TooMany(VALUES)
