"""Whether a request may be sent a second time, judged by its path and body: the columns of `retry`'s tables."""

from collections.abc import Collection

from router.policy.accounts.retry import RetrySafety
from router.wire.calls import Call
from router.wire.raw.json.top_level import Top

_READS = ("GET", "HEAD")


def judge_retry_safety(
    call: Call, method: str, top: Top | None, *, replayable: bool = True, dropped: Collection[str] | None = None
) -> RetrySafety:
    """How safe it is to send a request again: what counts is the request that was sent.

    top: its JSON body's top level, None for a body of another kind. replayable: its body is in memory. dropped: the
    paths that its translation left out, None where it was passed on.
    """
    if not replayable:
        return "not_replayable"
    if method in _READS:
        return "safe"
    if not call.asks_model:
        return "safe" if call.counts else "maybe_executed"
    if call.compacts and dropped is not None:
        return "safe"  # no tool may be called, and nothing is kept
    leaves_traces = call.entry.leaves_traces
    if leaves_traces is None or top is None or not leaves_traces(top, dropped):
        return "safe"
    return "maybe_executed"
