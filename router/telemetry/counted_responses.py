"""Answers in the background, whose usage is told by each later look at them and is counted once.

In memory alone: after a restart, or by another process, one that is looked at again is counted again. That errs on the
side of a budget.
"""

from collections import OrderedDict

# About 1 MB.
_LIMIT = 10_000
_LONGEST = 256


class CountedResponses:
    """The ids of responses whose usage was counted, the newest last."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> bool:
        """Note that the usage of a response is counted; False when it was before. Without an id each look counts."""
        name = name[:_LONGEST]
        if not name:
            return True
        if name in self._ids:
            return False
        self._ids[name] = None
        if len(self._ids) > _LIMIT:
            self._ids.popitem(last=False)
        return True
