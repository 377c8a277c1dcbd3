"""The counts of /metrics as OTLP's cumulative histograms, under the names that the conventions have for them."""

from collections.abc import Callable, Mapping, Sequence

from router.store.history import histogram as buckets
from router.telemetry.metrics_counts import TOKEN_EDGES, Counters, DurationHistogram, TokenHistogram
from router.telemetry.otlp.form import Json, Value, make_attributes, make_nanoseconds

_CUMULATIVE = 2
# Every fourth bucket ends at 10 ms times a power of two, up to 82 s, as in /metrics.
_EDGES = tuple(range(40, 100, 4))
_BOUNDS = [buckets.bucket_end(edge) / 1e6 for edge in _EDGES]
_TYPES: Mapping[str, str] = {"cache_write": "cache_creation"}
_Labels = list[tuple[str, Value]]


def make_metrics(counters: Counters, find_provider: Callable[[str], str], since: float, now: float) -> list[Json]:
    """The metrics of all requests since the start. since, now: seconds since 1970."""
    span = {"startTimeUnixNano": make_nanoseconds(since), "timeUnixNano": make_nanoseconds(now)}
    tokens: list[Json] = []
    durations: list[Json] = []
    firsts: list[Json] = []
    # A copy: the ledger's thread may add a set meanwhile.
    for (operation, backend, model), counts in list(counters.sets.items()):
        labels: _Labels = [
            ("gen_ai.operation.name", operation),
            ("gen_ai.provider.name", find_provider(backend) if backend else ""),
            ("gen_ai.request.model", model),
            ("fairlead.backend", backend),
        ]
        for kind, sizes in list(counts.tokens.items()):
            tokens.append(_make_tokens(span, [*labels, ("gen_ai.token.type", _TYPES.get(kind, kind))], sizes))
        for error, times in list(counts.durations.items()):
            durations.append(_make_times(span, [*labels, ("error.type", error)], times))
        if any(counts.first.counts):
            firsts.append(_make_times(span, labels, counts.first))
    found = [
        _make_metric(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a request, by type; input is without what the cache gave or took.",
            tokens,
        ),
        _make_metric(
            "gen_ai.client.operation.duration", "s", "From a request's arrival to the end of its answer.", durations
        ),
        _make_metric(
            "gen_ai.server.request.duration", "s", "From a request's arrival to the end of its answer.", durations
        ),
        _make_metric(
            "gen_ai.server.time_to_first_token",
            "s",
            "From a request's arrival to the first byte of its answer.",
            firsts,
        ),
    ]
    return [metric for metric in found if metric["histogram"]["dataPoints"]]


def _make_metric(name: str, unit: str, about: str, points: Sequence[Json]) -> Json:
    histogram = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE}
    return {"name": name, "unit": unit, "description": about, "histogram": histogram}


def _make_tokens(span: Json, labels: _Labels, sizes: TokenHistogram) -> Json:
    return _make_point(span, labels, [float(edge) for edge in TOKEN_EDGES], list(sizes.counts), float(sizes.sum))


def _make_times(span: Json, labels: _Labels, times: DurationHistogram) -> Json:
    counts = list(times.counts)
    found: list[int] = []
    at = 0
    for edge in _EDGES:
        found.append(sum(counts[at : edge + 1]))
        at = edge + 1
    return _make_point(span, labels, _BOUNDS, [*found, sum(counts[at:])], times.sum)


def _make_point(span: Json, labels: _Labels, bounds: list[float], counts: list[int], total: float) -> Json:
    return {
        **span,
        "attributes": make_attributes(labels),
        "count": str(sum(counts)),
        "sum": total,
        "bucketCounts": [str(count) for count in counts],
        "explicitBounds": bounds,
    }
