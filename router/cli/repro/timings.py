"""When the parts of an answer came: of a captured one, and of one that has just come."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from router.cli.common.layout import NONE
from router.net.control.request import Answer
from router.store.captures.format import Capture
from router.watch.amounts import format_seconds
from router.wire.raw.content_coding import parse_codings


class Timing(NamedTuple):
    """Milliseconds from the request's arrival, or from when it was sent; None where that is not known."""

    first_byte: int | None = None
    #: How many reads the body came in.
    chunks: int | None = None
    #: The longest time between two of them.
    longest_gap: int | None = None
    total: int | None = None


def read_captured(capture: Capture) -> Timing:
    """The times of the captured answer, as its client saw them."""
    meta, answer = capture.meta, capture.answer
    total = meta.total_ms or None
    coding = "" if answer is None else dict(answer.headers).get("content-encoding", "")
    # Of a coded body only the end is known.
    if answer is None or not answer.body.chunks or parse_codings(coding.encode()):
        return Timing(first_byte=meta.first_byte_ms, total=total)
    moments = [moment for moment, _ in answer.body.chunks]
    return Timing(moments[0], len(moments), _find_longest(moments), total)


def read_answer(answer: Answer) -> Timing:
    """The times of an answer that was read here."""
    moments = [round(moment * 1000) for moment in answer.moments]
    return Timing(round(answer.first_byte * 1000), len(moments), _find_longest(moments), round(answer.last_byte * 1000))


def _find_longest(moments: Sequence[int]) -> int | None:
    return max((after - before for before, after in pairwise(moments)), default=None)


def make_rows(captured: Timing, now: Timing | None) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a table; now: None where nothing was sent."""
    columns = [captured, *([now] if now is not None else [])]
    rows = [
        ["first byte", *(format_seconds(one.first_byte) for one in columns)],
        ["chunks", *(NONE if one.chunks is None else f"{one.chunks:,}" for one in columns)],
        ["longest gap", *(format_seconds(one.longest_gap) for one in columns)],
        ["total", *(format_seconds(one.total) for one in columns)],
    ]
    return ["", "captured", "now"][: len(columns) + 1], rows
