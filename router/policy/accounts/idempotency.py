"""Whether a request may be sent a second time: `retry`'s natures, told from its path and its body."""

from router.policy.accounts.retry import Nature
from router.wire.calls import Call
from router.wire.raw.top_level import Top

_READS = ("GET", "HEAD")


def nature_of(call: Call, method: str, top: Top | None, *, kept: bool = True) -> Nature:
    """The nature of a request. top: its JSON body's top level, None for another. kept: its body is held."""
    if not kept:
        return "streamed"
    if method in _READS:
        return "free"
    if not call.asks_model:
        return "served"
    leaves_traces = call.entry.leaves_traces
    return "served" if leaves_traces is not None and top is not None and leaves_traces(top) else "free"
