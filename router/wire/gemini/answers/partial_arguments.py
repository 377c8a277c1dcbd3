"""Puts the arguments of a call together from pieces, as Vertex streams them where a request asks for that.

A piece names its place (`$.stops[0].city`) and has a part of a text, or a whole value
(https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling).
"""

import re
from typing import cast

from router.wire.neutral.answer_bounds import PARTS, AnswerCounts
from router.wire.raw.json.json_values import Json

# Characters of a place, and steps to it; a list has no more entries than that.
_PLACE_LIMIT, _STEPS_LIMIT, _LAST_ENTRY = 512, 32, 4096
_STEP = re.compile(r"\.([A-Za-z_$][\w$-]*)|\[(\d{1,6})\]|\['([^'\\]*)'\]|\[\"([^\"\\]*)\"\]", re.ASCII)
_VALUES = ("numberValue", "boolValue", "stringValue")
_Steps = list[str | int]


class PartialArguments:
    """The arguments of one call."""

    def __init__(self, counts: AnswerCounts):
        self._counts = counts
        self.value: Json = {}
        #: A piece was not read.
        self.lost = False

    def add(self, piece: Json) -> None:
        """Add one piece. Raises TooMany."""
        self._counts.add(PARTS)
        steps = _read_place(piece.get("jsonPath"))
        if not steps or not isinstance(steps[0], str):
            self.lost = True
            return
        if "nullValue" in piece:
            value: object = None
        else:
            name = next((name for name in _VALUES if name in piece), "")
            value = piece.get(name)
            if not name:
                self.lost = True
                return
        if not _put(self.value, steps, value):
            self.lost = True


def _read_place(place: object) -> _Steps:
    """The steps of a place; [] for one that cannot be read."""
    if not isinstance(place, str) or not place.startswith("$") or len(place) > _PLACE_LIMIT:
        return []
    steps: _Steps = []
    at = 1
    while at < len(place):
        found = _STEP.match(place, at)
        if found is None or len(steps) >= _STEPS_LIMIT:
            return []
        index = found[2]
        steps.append(int(index) if index is not None else next(one for one in found.groups() if one is not None))
        at = found.end()
    return steps


def _put(root: Json, steps: _Steps, value: object) -> bool:
    """Put a value at its place; a text behind the text that is there. False where something else is there."""
    holder: object = root
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        empty: object = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, str) and isinstance(holder, dict):
            known = step in holder
            if known and following is None:
                return _append(holder, step, value)  # pyright: ignore[reportUnknownArgumentType]
            holder = holder.setdefault(step, empty)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        elif isinstance(step, int) and isinstance(holder, list):
            items = cast("list[object]", holder)
            if step > min(len(items), _LAST_ENTRY):
                return False
            known = step < len(items)
            if not known:
                items.append(empty)
            holder = items[step]
            if known and following is None:
                return _append(items, step, value)
        else:
            return False
    return True


def _append(holder: object, step: object, value: object) -> bool:
    """Add a part of a text to its beginning."""
    entries = cast("dict[object, object]", holder)
    before = entries[step]
    if not isinstance(before, str) or not isinstance(value, str):
        return False
    entries[step] = before + value
    return True
