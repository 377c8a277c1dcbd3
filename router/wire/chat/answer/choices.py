"""Choices beside the one that is the answer.

A caller of another protocol gets one answer. Some gateways split it into several choices, the text in the first and the
calls in others: those calls are kept. A choice with a text of its own is another answer, and is left out.
"""

from typing import cast

from router.ir import Event
from router.wire.chat.answer.call_reader import CallReader
from router.wire.neutral.answer_bounds import CHOICES, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json


class _Choice:
    """What one choice has brought."""

    __slots__ = ("calls", "other", "spoke")

    def __init__(self) -> None:
        self.calls: list[Json] = []
        #: It has text of its own.
        self.spoke = False
        #: It has something else.
        self.other = False


class FurtherChoices:
    """The other choices of one answer; what they bring is kept until its end."""

    def __init__(self, counts: AnswerCounts) -> None:
        self._counts = counts
        self._choices: dict[int, _Choice] = {}
        #: The first finish reason of any of them.
        self.finish = ""

    def __bool__(self) -> bool:
        return bool(self._choices)

    def keep(self, index: int, choice: Json) -> None:
        """Keep what a chunk brings for one choice."""
        found = choice.get("delta")
        delta = cast("Json", found) if isinstance(found, dict) else {}
        finish = choice.get("finish_reason")
        if isinstance(finish, str):
            self.finish = self.finish or finish
        kept = self._choices.get(index)
        if kept is None:
            self._counts.add(CHOICES)
            kept = self._choices[index] = _Choice()
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            kept.calls += [cast("Json", entry) for entry in cast("list[object]", calls) if isinstance(entry, dict)]
        if delta.get("content"):
            kept.spoke = True
        elif any(value for name, value in delta.items() if name not in ("role", "tool_calls")):
            kept.other = True

    def release(self, calls: CallReader, ctx: Context, out: list[Event]) -> None:
        """Read the calls that belong to the answer, and name what does not."""
        for index, choice in sorted(self._choices.items()):
            if choice.spoke or choice.other:
                ctx.note_dropped(f"choices[{index}]")
            if not choice.spoke and choice.calls:
                calls.separate()
                for entry in choice.calls:
                    calls.read(entry, out)
                calls.finish(out)


def read_index(choice: Json, place: int) -> int:
    """The index of a choice; its place where it has none."""
    index = choice.get("index")
    return index if isinstance(index, int) else place
