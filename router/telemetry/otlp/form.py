"""The JSON form of OTLP: how protobuf's values are written in it.

Rules of this file: ids are hexadecimal, 64-bit integers are texts, enumerations are numbers, names are in camel case.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]
#: What an attribute may be; None and '' are left out.
Value = str | bool | int | float | Sequence[str] | None
#: Where it is posted to, below the collector's address.
TRACES, METRICS = "/v1/traces", "/v1/metrics"
_SCOPE = "fairlead"


def make_attributes(values: Iterable[tuple[str, Value]]) -> list[Json]:
    """Attributes by name; those without a value are left out."""
    return [{"key": name, "value": _make_value(value)} for name, value in values if value is not None and value != ""]


def _make_value(value: Value) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": clean_text(value)}
    return {"arrayValue": {"values": [{"stringValue": clean_text(one)} for one in value or ()]}}


def clean_text(text: str) -> str:
    """The text as UTF-8 can have it: names come from callers, and JSON can hold half of a pair of surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def make_nanoseconds(seconds: float) -> str:
    """A moment, in seconds since 1970, as OTLP has it."""
    return str(int(seconds * 1_000_000) * 1000)


def encode_spans(resource: Mapping[str, Value], version: str, spans: Sequence[Json]) -> bytes:
    """The body of a request with spans. resource: its attributes; version: fairlead's."""
    return _encode("resourceSpans", "scopeSpans", "spans", resource, version, spans)


def encode_metrics(resource: Mapping[str, Value], version: str, metrics: Sequence[Json]) -> bytes:
    """The body of a request with metrics."""
    return _encode("resourceMetrics", "scopeMetrics", "metrics", resource, version, metrics)


def _encode(
    outer: str, inner: str, name: str, resource: Mapping[str, Value], version: str, found: Sequence[Json]
) -> bytes:
    scoped = {"scope": {"name": _SCOPE, "version": version}, name: found}
    described = {"attributes": make_attributes(resource.items())}
    return msgspec.json.encode({outer: [{"resource": described, inner: [scoped]}]})


class _PartialSuccess(msgspec.Struct, rename="camel"):
    rejected_spans: int | str = 0


class _Reply(msgspec.Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None


def read_rejected(body: bytes) -> int:
    """How many spans a collector that took the others has refused, by its answer."""
    try:
        reply = msgspec.json.decode(body, type=_Reply)
        return max(0, int(reply.partial_success.rejected_spans)) if reply.partial_success is not None else 0
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return 0
