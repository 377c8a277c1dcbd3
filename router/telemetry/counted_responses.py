"""Answers in the background, whose usage is told by each later look at them and is counted once.

In memory alone: after a restart, or by a proxy on another port, one that is looked at again is counted again. That errs
on the side of a budget.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# About 1 MB.
_LIMIT = 10_000
_LONGEST = 256


class CountedResponses:
    """The ids of responses whose usage was counted, the newest last."""

    def __init__(self) -> None:
        #: Is told of each that is added here, for the other processes of the port.
        self.on_added: Callable[[str], None] | None = None
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> bool:
        """Note that the usage of a response is counted; False when it was before. Without an id each look counts."""
        name = name[:_LONGEST]
        if not name:
            return True
        if name in self._ids:
            return False
        self.learn(name)
        if self.on_added is not None:
            self.on_added(name)
        return True

    def learn(self, name: str) -> None:
        """Note that another process has counted the usage of a response."""
        self._ids[name] = None
        if len(self._ids) > _LIMIT:
            self._ids.popitem(last=False)

    def list_names(self) -> list[str]:
        """All of them, the oldest first."""
        return list(self._ids)
