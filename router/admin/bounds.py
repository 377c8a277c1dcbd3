"""Measures the use of everything that has a bound, and the health of the process, for /status and /metrics."""

from router.net import descriptors
from router.net.server.connection_table import CONNECTION_LIMIT
from router.operator_api.status import Bound, Vitals
from router.store.database import writer
from router.telemetry import accesslog, metrics_counts, recorder
from router.upstream.runtime import Runtime


def list_bounds(runtime: Runtime) -> dict[str, Bound]:
    """All bounds by name; a name includes the unit where pieces are not counted. Blocks for a moment."""
    vitals = runtime.health
    return {
        "client_connections": Bound(used=len(vitals.clients), limit=CONNECTION_LIMIT),
        "upstream_connections": Bound(used=runtime.connections.open, limit=None),
        "upstream_connections_idle": Bound(used=runtime.connections.idle, limit=None),
        "descriptors": Bound(used=descriptors.count_open(), limit=descriptors.get_limit()),
        "tasks": Bound(used=vitals.tasks, limit=None),
        "buffered_bytes": Bound(used=runtime.memory.reserved, limit=runtime.memory.limit),
        "log_lines": Bound(used=runtime.log.waiting, limit=accesslog.RING),
        "history_rows": Bound(
            used=runtime.ledger.waiting + runtime.recorder.waiting, limit=writer.PENDING + recorder.WAITING_LIMIT
        ),
        "label_sets": Bound(used=len(runtime.recorder.counters.sets), limit=metrics_counts.LIMIT),
    }


def report_vitals(runtime: Runtime) -> Vitals:
    """The health of the process. Blocks for a moment."""
    vitals = runtime.health
    stalled = vitals.stalled
    return Vitals(
        stalled_s=None if stalled is None else round(stalled, 1),
        waiting=vitals.waiting,
        loop_lag_ms=round(vitals.lag * 1000, 1),
        worst_loop_lag_ms=round(vitals.worst_lag * 1000, 1),
        clock_jumps=vitals.jumps,
        network_changes=vitals.moves,
        bounds=list_bounds(runtime),
    )
