"""Reports the state of a proxy as structs, for GET /status and `status()` of the library."""

import heapq
import os

import trio

from router import __version__
from router.admin.ask import Operated
from router.admin.bounds import report_vitals
from router.host.clock import boot_time
from router.operator_api.status import (
    AnswerCacheStatus,
    BackendStatus,
    CaptureStatus,
    ConnectionCounts,
    HistoryStatus,
    ModelStatus,
    Queue,
    QueueLimit,
    RunningRequest,
    SharedStatus,
    Status,
    TelemetryStatus,
)
from router.policy.routing.model_list import list_models
from router.policy.routing.table import Table
from router.store.captures import folder as captures
from router.store.database.location import CACHE_NAME
from router.upstream.account_state import report_account, why_not
from router.upstream.runtime import Runtime
from router.upstream.services import Service

STATUS_SCHEMA = 1
RUNNING_LIMIT = 100


def report_models(table: Table) -> list[ModelStatus]:
    """The models that can be asked for. Blocks for a moment."""
    return [
        ModelStatus(id=name, backend=owner, protocols=list(table.named[owner].protocols))
        for name, owner in list_models(table).items()
    ]


def report_status(runtime: Runtime, operated: Operated, models: list[ModelStatus]) -> Status:
    """Everything the proxy reports about itself. models: those that can be asked for."""
    return Status(
        schema=STATUS_SCHEMA,
        version=__version__,
        pid=os.getpid(),
        url=operated.url,
        uptime_s=round(trio.current_time() - operated.started, 1),
        loaded=runtime.loaded.is_set(),
        backends=report_backends(runtime),
        models=models,
        problems=operated.problems,
        upstream_connections=ConnectionCounts(open=runtime.connections.open, idle=runtime.connections.idle),
        buffered_bytes=runtime.memory.reserved,
        dropped_log_lines=runtime.log.dropped,
        history=HistoryStatus(
            problem=runtime.ledger.problem,
            dropped=runtime.ledger.dropped,
            path=str(runtime.ledger.path),
            elsewhere=runtime.ledger.elsewhere,
        ),
        capture=CaptureStatus(
            on=runtime.settings.history_capture,
            folder=str(runtime.home.at(captures.FOLDER)),
            dropped=runtime.captures.dropped,
            problem=runtime.captures.problem,
        ),
        answer_cache=_report_cache(runtime),
        guard=runtime.guard.status(),
        vitals=report_vitals(runtime),
        running=report_running(runtime),
        running_count=len(runtime.running),
        refused=runtime.gate_refusals.counts,
        shared=_report_server(runtime),
        telemetry=_report_export(runtime),
        process=operated.process,
    )


async def report_port(runtime: Runtime, operated: Operated, models: list[ModelStatus]) -> Status:
    """Everything that all processes of the port report about themselves. models: as above."""
    own = report_status(runtime, operated, models)
    if operated.others is None:
        return own
    from router.operator_api.combine import combine_statuses

    return combine_statuses(own, await operated.others.list_statuses(), RUNNING_LIMIT)


def _report_server(runtime: Runtime) -> SharedStatus | None:
    server = runtime.guard.server
    if server is None:
        return None
    return SharedStatus(
        server=server.address,
        team=server.team,
        problem=server.problem,
        failing_since=server.failing_since,
        failed_calls=server.failed_calls,
        losses=server.losses,
        processes=server.processes,
        settling=server.settling,
        allowance=server.allowance,
        answered=server.answered,
        last_round=server.last_round,
        shares_until=server.shares_until,
    )


def _report_export(runtime: Runtime) -> TelemetryStatus | None:
    spans = runtime.spans
    if spans is None:
        return None
    return TelemetryStatus(
        collector=spans.collector,
        problem=spans.problem,
        last_failure=spans.last_failure,
        failed_at=spans.failed_at,
        exported=spans.exported,
        dropped=spans.dropped,
        waiting=len(spans),
    )


def _report_cache(runtime: Runtime) -> AnswerCacheStatus:
    cache = runtime.answer_cache
    return AnswerCacheStatus(
        on=runtime.snapshot.caches,
        path=str(runtime.ledger.path.with_name(CACHE_NAME)),
        problem=None if cache is None else cache.problem,
    )


def report_running(runtime: Runtime) -> list[RunningRequest]:
    """The oldest of the requests that are being answered, at most RUNNING_LIMIT."""
    oldest = heapq.nsmallest(RUNNING_LIMIT, runtime.running, key=lambda one: one.arrived)
    return [one.report() for one in oldest]


def report_backends(runtime: Runtime) -> list[BackendStatus]:
    """The enabled backends and their state."""
    problems = find_problems(runtime)
    now = boot_time()
    found: list[BackendStatus] = []
    for backend in runtime.snapshot.table.backends:
        catalog = runtime.catalogs.get(backend.name)
        service = runtime.snapshot.services[backend.name]
        found.append(
            BackendStatus(
                name=backend.name,
                protocols=list(backend.protocols),
                enabled=backend.enabled,
                models=len(catalog.models) if catalog else 0,
                loading=catalog is not None and catalog.loading,
                problem=problems.get(backend.name),
                accounts=[report_account(service, member, now) for member in service.pool.members],
                queue=report_queue(service),
            )
        )
    return found


def find_problems(runtime: Runtime) -> dict[str, str]:
    """By backend that cannot serve now, the reason."""
    found = {name: entry.problem for name, entry in runtime.catalogs.items() if entry.problem}
    for name, target in runtime.snapshot.targets.items():
        problem = target.problem or why_not(runtime.snapshot.services[name], boot_time())
        if problem:
            found[name] = problem
    return found


def report_queue(service: Service) -> Queue:
    """The queue of requests for a backend."""
    queue = service.queue
    stalled = queue.stalled()
    return Queue(
        running=queue.running,
        waiting=queue.waiting,
        limit=queue.limit,
        most=queue.most,
        stalled_s=None if stalled is None else round(stalled, 1),
        limits={
            name: QueueLimit(used=used, limit=limit)
            for name, (used, limit) in queue.rate_limit.used(queue.clock()).items()
        },
    )
