"""The reports of several processes of one port as one: counts are added, of times and lags the largest is given."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from router.operator_api.guard import BudgetReport, GuardStatus, NotCounted
from router.operator_api.status import (
    BackendStatus,
    Bound,
    Queue,
    QueueLimit,
    RunningRequest,
    Status,
    TelemetryStatus,
    Vitals,
)

if TYPE_CHECKING:
    from router.operator_api.accounts import AccountStatus

#: States of the guard, the gravest last.
_GRAVITY = ("off", "running", "warned", "halted")
#: Gauges of which the largest counts; all other samples are added.
_LARGEST = (
    "fairlead_stalled_seconds",
    "fairlead_loop_lag_seconds",
    "fairlead_worst_loop_lag_seconds",
    "fairlead_build_info",
    "fairlead_history_in_use",
    "fairlead_capture_on",
)


def combine_statuses(own: Status, others: Sequence[Status], most: int) -> Status:
    """One status. own: of the process that answers, whose accounts, budgets and problems are those of all. most: how
    many running requests are listed, the oldest."""
    every = (own, *others)
    return replace(
        own,
        loaded=all(one.loaded for one in every),
        backends=[_combine_backend(one, _list_same(one, others)) for one in own.backends],
        upstream_connections=replace(
            own.upstream_connections,
            open=sum(one.upstream_connections.open for one in every),
            idle=sum(one.upstream_connections.idle for one in every),
        ),
        buffered_bytes=sum(one.buffered_bytes for one in every),
        dropped_log_lines=sum(one.dropped_log_lines for one in every),
        history=replace(
            own.history,
            problem=next((one.history.problem for one in every if one.history.problem), None),
            dropped=sum(one.history.dropped for one in every),
        ),
        capture=replace(
            own.capture,
            dropped=sum(one.capture.dropped for one in every),
            problem=next((one.capture.problem for one in every if one.capture.problem), None),
        ),
        telemetry=_combine_exports([one.telemetry for one in every if one.telemetry is not None]),
        guard=combine_guards([one.guard for one in every]),
        vitals=_combine_vitals([one.vitals for one in every]),
        running=_list_oldest(every, most),
        running_count=sum(one.running_count for one in every),
        refused=_add([one.refused for one in every]),
        problems=list(dict.fromkeys(problem for one in every for problem in one.problems)),
    )


def combine_guards(guards: Sequence[GuardStatus]) -> GuardStatus:
    """The gravest state, and each budget as the process knows it that knows of most."""
    gravest = max(guards, key=lambda one: _GRAVITY.index(one.state))
    budgets: dict[tuple[str, str, str], list[BudgetReport]] = {}
    missing: dict[tuple[str, str, str], list[NotCounted]] = {}
    for guard in guards:
        for budget in guard.budgets:
            budgets.setdefault((budget.scope, budget.period, budget.unit), []).append(budget)
        for one in guard.not_counted:
            missing.setdefault((one.backend, one.model, one.part), []).append(one)
    return replace(
        gravest,
        # Each counts what the others have published. One of an earlier day is of a process that was idle since.
        budgets=[
            max(found, key=lambda one: (one.renews or 0.0, one.spent + one.reserved)) for found in budgets.values()
        ],
        not_counted=[replace(found[0], requests=sum(one.requests for one in found)) for found in missing.values()],
    )


def _list_oldest(every: Iterable[Status], most: int) -> list[RunningRequest]:
    return heapq.nlargest(most, (one for status in every for one in status.running), key=lambda one: one.age_s)


def _list_same(own: BackendStatus, others: Iterable[Status]) -> list[BackendStatus]:
    return [one for status in others for one in status.backends if one.name == own.name]


def _combine_backend(own: BackendStatus, others: Sequence[BackendStatus]) -> BackendStatus:
    running = _add([{one.alias: one.running for one in backend.accounts} for backend in (own, *others)])
    accounts: list[AccountStatus] = [replace(one, running=running[one.alias]) for one in own.accounts]
    return replace(own, accounts=accounts, queue=_combine_queue([one.queue for one in (own, *others)]))


def _combine_queue(queues: Sequence[Queue]) -> Queue:
    used = _add([{name: one.used for name, one in queue.limits.items()} for queue in queues])
    return replace(
        queues[0],
        running=sum(one.running for one in queues),
        waiting=sum(one.waiting for one in queues),
        stalled_s=max((one.stalled_s for one in queues if one.stalled_s is not None), default=None),
        limits={name: QueueLimit(used=used[name], limit=one.limit) for name, one in queues[0].limits.items()},
    )


def _combine_exports(exports: Sequence[TelemetryStatus]) -> TelemetryStatus | None:
    if not exports:
        return None
    last = max(exports, key=lambda one: one.failed_at or 0.0)
    return replace(
        last,
        problem=next((one.problem for one in exports if one.problem), None),
        exported=sum(one.exported for one in exports),
        dropped=sum(one.dropped for one in exports),
        waiting=sum(one.waiting for one in exports),
    )


def _combine_vitals(vitals: Sequence[Vitals]) -> Vitals:
    first = vitals[0]
    return replace(
        first,
        stalled_s=max((one.stalled_s for one in vitals if one.stalled_s is not None), default=None),
        waiting=sum(one.waiting for one in vitals),
        loop_lag_ms=max(one.loop_lag_ms for one in vitals),
        worst_loop_lag_ms=max(one.worst_loop_lag_ms for one in vitals),
        bounds={
            name: _combine_bound([one.bounds[name] for one in vitals if name in one.bounds]) for name in first.bounds
        },
    )


def _combine_bound(bounds: Sequence[Bound]) -> Bound:
    used = [one.used for one in bounds if one.used is not None]
    limits = [one.limit for one in bounds if one.limit is not None]
    return Bound(used=sum(used) if used else None, limit=sum(limits) if limits else None)


def _add(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            found[name] = found.get(name, 0) + count
    return found


def add_metrics(texts: Sequence[bytes]) -> bytes:
    """Several expositions in Prometheus' text form as one. Families and samples keep the order of the first text that
    has them."""
    families: dict[str, list[str]] = {}
    samples: dict[str, dict[str, float]] = {}
    for text in texts:
        family = ""
        for line in text.decode().splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                heads = families.setdefault(family, [])
                if not heads:
                    heads.append(line)
            elif line.startswith("#"):
                if len(families[family]) == 1:
                    families[family].append(line)
            elif line:
                name, _, value = line.rpartition(" ")
                join: Callable[[float, float], float] = max if name.startswith(_LARGEST) else float.__add__
                found = samples.setdefault(family, {})
                found[name] = join(found[name], float(value)) if name in found else float(value)
    lines: list[str] = []
    for family, heads in families.items():
        lines += [*heads, *(f"{name} {value!r}" for name, value in samples.get(family, {}).items())]
    return ("\n".join(lines) + "\n").encode()


def keep_counts(text: bytes) -> bytes:
    """What stays of the metrics of a process that has ended: counters and histograms, without gauges."""
    lines: list[str] = []
    kept: list[str] = []
    is_gauge = False
    for line in text.decode().splitlines():
        if line.startswith("# HELP "):
            lines += [] if is_gauge else kept
            kept, is_gauge = [], False
        is_gauge = is_gauge or (line.startswith("# TYPE ") and line.endswith(" gauge"))
        kept.append(line)
    lines += [] if is_gauge else kept
    return ("\n".join(lines) + "\n").encode()
