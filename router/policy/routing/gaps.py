"""Backends whose models are not known, and why: what a 404 has to say beside "no backend serves it"."""

from collections.abc import Sequence

import msgspec

_SHOWN = 3


class Gap(msgspec.Struct, frozen=True):
    """A backend whose models routing does not know: it is disabled, unreadable, or its model list is."""

    #: Its name.
    backend: str
    #: What is wrong, in words that stand behind its name: "is disabled".
    why: str
    #: The command that helps.
    command: str
    #: It is this proxy itself.
    loops: bool = False
    #: Its file cannot be read: it is meant to serve.
    unread: bool = False
    #: It answers, and only has no list: requests may well be served.
    answers: bool = False

    def __str__(self) -> str:
        return f"{self.backend} {self.why}: `{self.command}`."


def describe_gaps(gaps: Sequence[Gap]) -> str:
    """A sentence for each, with the command that helps; of many, the first few and how many are left."""
    shown = " ".join(str(gap) for gap in gaps[:_SHOWN])
    left = len(gaps) - _SHOWN
    return f"{shown} {left} more: `fairlead backend list`." if left > 0 else shown
