"""Writes GET /metrics in Prometheus' text form, with the names of OpenTelemetry's conventions for generative AI.

Counts begin when the proxy starts. Label sets are bounded (metrics_counts.LIMIT): further models share one set.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from router import __version__
from router.admin.bounds import list_bounds
from router.store.history import histogram as buckets
from router.telemetry.metrics_counts import TOKEN_EDGES, DurationHistogram, LabelCounts
from router.upstream.runtime import Runtime

_LABELS = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]
# Every fourth bucket ends at 10 ms times a power of two: from 10 ms to 82 s and beyond, as the conventions advise.
_EDGES = tuple(range(40, 100, 4))
Key = tuple[str, str, str]


def expose(runtime: Runtime) -> bytes:
    """The body, in the text form that all versions of Prometheus read."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ProxyCollector(runtime))
    return generate_latest(registry)


class _ProxyCollector(Collector):
    def __init__(self, runtime: Runtime):
        self._runtime = runtime

    def collect(self) -> Iterator[Metric]:
        """All families, with their present values."""
        counters = self._runtime.recorder.counters
        # A copy: the event loop may add a set during the iteration.
        sets = list(counters.sets.items())
        yield _collect_tokens(sets)
        yield _collect_durations(sets)
        yield _collect_first_bytes(sets)
        lost = "Tokens that a provider's cache should have had and did not, by why."
        family = CounterMetricFamily("fairlead_cache_lost_tokens", lost, labels=["reason"])
        for reason, tokens in list(counters.cache_lost.items()):
            family.add_metric([reason], tokens)
        yield family
        asked = "Requests that might be answered from fairlead's own cache of answers, by what it gave."
        family = CounterMetricFamily("fairlead_answer_cache_requests", asked, labels=["result"])
        for result, count in list(counters.answer_cache.items()):
            family.add_metric([result], count)
        yield family
        saved = "What answers from that cache had cost when they came."
        yield CounterMetricFamily("fairlead_answer_cache_saved_usd", saved, counters.saved_cost / 1e9)
        yield from _collect_process(self._runtime)


def _collect_tokens(sets: list[tuple[Key, LabelCounts]]) -> Metric:
    family = HistogramMetricFamily(
        "gen_ai_client_token_usage",
        "Tokens of a request, by type; input is without what the cache gave or took.",
        labels=[*_LABELS, "gen_ai_token_type"],
    )
    for key, counts in sets:
        for kind, sizes in list(counts.tokens.items()):
            bucket_counts = list(sizes.counts)
            edges = [*map(str, TOKEN_EDGES), "+Inf"]
            family.add_metric([*key, kind], _cumulate(edges, bucket_counts), sizes.sum)
    return family


def _collect_durations(sets: list[tuple[Key, LabelCounts]]) -> Metric:
    family = HistogramMetricFamily(
        "gen_ai_server_request_duration_seconds",
        "From a request's arrival to the end of its answer; error_type is empty for those that went well.",
        labels=[*_LABELS, "error_type"],
    )
    for key, counts in sets:
        for error, times in list(counts.durations.items()):
            family.add_metric([*key, error], _bucket_seconds(times), times.sum)
    return family


def _collect_first_bytes(sets: list[tuple[Key, LabelCounts]]) -> Metric:
    family = HistogramMetricFamily(
        "gen_ai_server_time_to_first_token_seconds",
        "From a request's arrival to the first byte of its answer.",
        labels=_LABELS,
    )
    for key, counts in sets:
        if any(counts.first.counts):
            family.add_metric(list(key), _bucket_seconds(counts.first), counts.first.sum)
    return family


def _collect_process(runtime: Runtime) -> Iterator[Metric]:
    build = GaugeMetricFamily("fairlead_build_info", "The version that runs.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    ledger, log = runtime.ledger, runtime.log
    waiting = ledger.waiting + runtime.recorder.waiting
    yield GaugeMetricFamily("fairlead_history_waiting_rows", "Rows not written to history.db yet.", waiting)
    yield GaugeMetricFamily(
        "fairlead_history_in_use", "1 while history.db can be written.", 0 if ledger.problem is not None else 1
    )
    yield GaugeMetricFamily(
        "fairlead_capture_on", "1 while bodies are captured (history.capture).", int(runtime.settings.history_capture)
    )
    yield CounterMetricFamily("fairlead_history_dropped_rows", "Rows that could not be kept.", ledger.dropped)
    yield CounterMetricFamily("fairlead_log_dropped_lines", "Log lines that could not be written.", log.dropped)
    refused = "Requests refused before they were looked at, by reason; few of them are in the history."
    family = CounterMetricFamily("fairlead_refused_requests", refused, labels=["reason"])
    for reason, count in runtime.gate_refusals.counts.items():
        family.add_metric([reason], count)
    yield family
    if runtime.spans is not None:
        spans = runtime.spans
        yield CounterMetricFamily("fairlead_telemetry_exported_spans", "Spans a collector took.", spans.exported)
        yield CounterMetricFamily("fairlead_telemetry_dropped_spans", "Spans that were lost.", spans.dropped)
        taken = "1 while the collector takes what is sent."
        yield GaugeMetricFamily("fairlead_telemetry_up", taken, int(spans.problem is None))
    connections = runtime.connections
    yield GaugeMetricFamily("fairlead_upstream_connections", "Open connections to backends.", connections.open)
    yield GaugeMetricFamily("fairlead_buffered_bytes", "Bytes held for requests under way.", runtime.memory.reserved)
    yield from _collect_server(runtime)
    yield from _collect_vitals(runtime)


def _collect_server(runtime: Runtime) -> Iterator[Metric]:
    """The server of a team, where there is one."""
    server = runtime.guard.server
    if server is None:
        return
    up = 1 if server.problem is None else 0
    yield GaugeMetricFamily("fairlead_shared_up", "1 while the server of the team can be used.", up)
    yield CounterMetricFamily("fairlead_shared_failed_calls", "Calls of it that failed.", server.failed_calls)
    yield CounterMetricFamily("fairlead_shared_losses", "How often it had lost what it was told.", server.losses)
    yield GaugeMetricFamily("fairlead_shared_processes", "Proxies that hold shares of budgets.", server.processes)
    settling = "1 while it hands out no shares, since it has lost data."
    yield GaugeMetricFamily("fairlead_shared_settling", settling, int(server.settling))
    if server.last_round is not None:
        moment = "When the last exchange about budgets was answered, in seconds since 1970."
        yield GaugeMetricFamily("fairlead_shared_last_round_timestamp_seconds", moment, server.last_round)
    if server.shares_until is not None:
        until = "Until when the shares that are held may be used, in seconds since 1970."
        yield GaugeMetricFamily("fairlead_shared_shares_until_timestamp_seconds", until, server.shares_until)


def _collect_vitals(runtime: Runtime) -> Iterator[Metric]:
    vitals = runtime.health
    stalled = "For how long requests have waited and none was answered."
    yield GaugeMetricFamily("fairlead_stalled_seconds", stalled, vitals.stalled or 0)
    yield GaugeMetricFamily("fairlead_waiting_requests", "Requests whose answer has not begun.", vitals.waiting)
    yield GaugeMetricFamily("fairlead_loop_lag_seconds", "How late the event loop came at last.", vitals.lag)
    yield GaugeMetricFamily("fairlead_worst_loop_lag_seconds", "The same, at most within a minute.", vitals.worst_lag)
    jumps = "How often the machine slept, or its time was changed."
    yield CounterMetricFamily("fairlead_clock_jumps", jumps, vitals.jumps)
    yield CounterMetricFamily("fairlead_network_changes", "How often the machine's addresses changed.", vitals.moves)
    used = GaugeMetricFamily("fairlead_in_use", "How much of something that is bounded is in use.", labels=["of"])
    limits = GaugeMetricFamily("fairlead_bound", "How much of it there may be.", labels=["of"])
    for name, bound in list_bounds(runtime).items():
        for family, value in ((used, bound.used), (limits, bound.limit)):
            if value is not None:
                family.add_metric([name], value)
    yield used
    yield limits


def _bucket_seconds(times: DurationHistogram) -> list[tuple[str, float]]:
    bucket_counts = list(times.counts)
    found: list[tuple[str, float]] = []
    sum_, at = 0, 0
    for edge in _EDGES:
        sum_ += sum(bucket_counts[at : edge + 1])
        at = edge + 1
        found.append((f"{buckets.bucket_end(edge) / 1e6:g}", sum_))
    found.append(("+Inf", sum_ + sum(bucket_counts[at:])))
    return found


def _cumulate(edges: list[str], bucket_counts: list[int]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    total = 0
    for edge, count in zip(edges, bucket_counts, strict=True):
        total += count
        found.append((edge, total))
    return found
