"""What a proxy holds of everything that has a bound, for /status and /metrics (product.md 7, bounds)."""

from typing import NamedTuple

from router.net import descriptors
from router.net.server.listen import CONNECTION_LIMIT
from router.store.database import writer
from router.telemetry import accesslog, metrics_counts, recorder
from router.upstream.runtime import Runtime


class Bound(NamedTuple):
    """How much of something is in use, None where the system does not tell; and how much there may be, None for no
    bound."""

    used: int | None
    limit: int | None


def bounds(runtime: Runtime) -> dict[str, Bound]:
    """All of them by name; those that are no numbers of things say their unit. Blocks for a moment."""
    vitals = runtime.vitals
    return {
        "client_connections": Bound(len(vitals.clients), CONNECTION_LIMIT),
        "upstream_connections": Bound(runtime.connections.open, None),
        "upstream_connections_idle": Bound(runtime.connections.idle, None),
        "descriptors": Bound(descriptors.count(), descriptors.limit()),
        "tasks": Bound(vitals.tasks, None),
        "buffered_bytes": Bound(runtime.buffers.held, runtime.buffers.limit),
        "log_lines": Bound(runtime.log.waiting, accesslog.RING),
        "history_rows": Bound(
            runtime.ledger.waiting + runtime.recorder.waiting, writer.PENDING + recorder.WAITING_LIMIT
        ),
        "label_sets": Bound(len(runtime.recorder.counters.sets), metrics_counts.LIMIT),
    }


def report(runtime: Runtime) -> dict[str, object]:
    """The part `vitals` of GET /status.

    Fields: stalled_s (for how long requests have waited and none was answered, null while that is no long time),
    waiting (requests whose answer has not begun), loop_lag_ms and worst_loop_lag_ms (how late the event loop came at
    last, and at most within the last minute), clock_jumps and network_changes (since the start), bounds (name ->
    used and limit, either may be null). Blocks for a moment.
    """
    vitals = runtime.vitals
    stalled = vitals.stalled
    return {
        "stalled_s": None if stalled is None else round(stalled, 1),
        "waiting": vitals.waiting,
        "loop_lag_ms": round(vitals.lag * 1000, 1),
        "worst_loop_lag_ms": round(vitals.worst_lag * 1000, 1),
        "clock_jumps": vitals.jumps,
        "network_changes": vitals.moves,
        "bounds": {name: bound._asdict() for name, bound in bounds(runtime).items()},
    }
