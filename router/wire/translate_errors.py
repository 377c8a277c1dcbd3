"""Reads the errors of upstreams in their own protocol, and writes them in the caller's."""

import msgspec

from router.ir import Fault
from router.wire import dialect as wire_dialect
from router.wire.dialect import Failure
from router.wire.errors import texts
from router.wire.neutral.context import Context
from router.wire.protocols import BY_NAME
from router.wire.raw import json_values
from router.wire.raw.sse import payloads


def failure(body: bytes, status: int, source: str, target: str, ctx: Context | None = None) -> tuple[int, bytes] | None:
    """An upstream's error answer: status and body for the client; None when it is no JSON object, nor a list of one,
    as Gemini's is. ctx: of the exchange."""
    fault = read_fault(body, status, source)
    if fault is None:
        return None
    return BY_NAME[target].codec.encode_error(fault if ctx is None else ctx.settle(fault))


def read_fault(body: bytes | bytearray, status: int, source: str) -> Fault | None:
    """The error in an upstream's error answer; None when that is no JSON object, nor a list of one."""
    data = texts.decode_body(body)
    if data is None:
        return None
    fault = BY_NAME[source].codec.decode_error(data, status)
    if fault is not None:
        return fault
    # Some servers put the message into another field.
    text = data.get("message") or data.get("detail") or bytes(body).decode("utf-8", "replace")
    error = {name: data[name] for name in ("type", "code", "param") if isinstance(data.get(name), str)}
    return BY_NAME[source].codec.decode_error({"type": "error", "error": {**error, "message": _shorten(text)}}, status)


def failure_in(events: bytes, source: str) -> Failure | None:
    """The first error among whole events of an upstream, in its own protocol's form; None when there is none."""
    dialect = BY_NAME[source].dialect
    for name, payload in payloads(events):
        data = json_values.look_at_object(payload)
        found = wire_dialect.find_failure(dialect, name, data) if data is not None else None
        if found is not None:
            return found
    return None


def make_fault(name: str, payload: bytes) -> Fault:
    """The error for an event that is no JSON object: an error event's text, or that."""
    text = _shorten(payload.decode("utf-8", "replace")).strip()
    if name == "error" and text:
        return Fault(500, "api_error", text)
    return Fault(500, "api_error", "The upstream sent an event that is no JSON object.")


def _shorten(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(char if char.isprintable() else " " for char in texts.cut_text(text, wire_dialect.QUOTE_LIMIT))
