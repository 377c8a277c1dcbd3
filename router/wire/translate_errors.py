"""Reads the errors of upstreams in their own protocol, and writes them in the caller's."""

import msgspec

from router.ir import Answer, Ended, Fault
from router.ir.overflow import Overflow
from router.wire import dialect as wire_dialect
from router.wire.dialect import Failure
from router.wire.errors import overflow, texts
from router.wire.neutral.context import Context
from router.wire.protocol import WireProtocol
from router.wire.protocols import BY_NAME
from router.wire.raw import scan
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.sse import payloads

# The fields of an error of AWS; its kind stands in a header, or here.
_BARE = frozenset(("message", "Message", "__type"))


def failure(body: bytes, status: int, source: str, target: str, ctx: Context | None = None) -> tuple[int, bytes] | None:
    """An upstream's error answer: status and body for the client; None when it is no JSON object, nor a list of one,
    as Gemini's is, and says nothing that a client acts on. ctx: of the exchange."""
    fault = read_fault(body, status, source)
    if fault is not None:
        return BY_NAME[target].codec.encode_error(fault if ctx is None else ctx.settle(fault))
    if ctx is None or ctx.find_unsaid_overflow is None or not is_unsaid(body, status):
        return None
    unsaid = ctx.find_unsaid_overflow()
    return None if unsaid is None else BY_NAME[target].codec.encode_error(unsaid)


def is_unsaid(body: bytes | bytearray, status: int) -> bool:
    """True for an error that may be that of a request that is too long, without a word: Cerebras answers so."""
    return status in (400, 413) and scan.is_blank(body)


def read_fault(body: bytes | bytearray, status: int, source: str) -> Fault | None:
    """The error in an upstream's error answer; None when that is no JSON object, nor a list of one. Of plain texts only
    those are errors that clients act on: that the request is too long, or that a limit of rate was told as a 413."""
    data = texts.decode_body(body)
    if data is None:
        fault = BY_NAME[source].codec.decode_error({"type": "error", "error": texts.wrap_plain(body)}, status)
        acted_on = fault is not None and (fault.overflow is not None or (status == 413 and fault.status == 429))
        return fault if acted_on else None
    fault = BY_NAME[source].codec.decode_error(data, status)
    if fault is not None:
        return fault
    # Some servers put the message into another field.
    text = data.get("message") or data.get("Message") or data.get("detail") or bytes(body).decode("utf-8", "replace")
    error = {name: data[name] for name in ("type", "code", "param") if isinstance(data.get(name), str)}
    return BY_NAME[source].codec.decode_error({"type": "error", "error": {**error, "message": _shorten(text)}}, status)


def restate_foreign(body: bytes, status: int, caller: str) -> tuple[int, bytes] | None:
    """Status and body in the caller's protocol for an error in another form, with all that its error object said
    beside; None for one to be passed on as it is. A cloud's own platform answers so in front of a model of any
    protocol: Google with a google.rpc.Status, AWS with a bare message, Azure with a code that is text. caller: the
    protocol, which is also the one that the upstream was asked in."""
    entry, data = BY_NAME[caller], texts.decode_body(body)
    if data is None or _has_form(entry, data):
        return None
    source = next(
        (one for one in BY_NAME.values() if one.has_error_form is not None and one.has_error_form(data)), None
    )
    told = json_values.get_object(data, "error")
    if source is None and not _is_of_platform(data, told):
        return None
    fault = read_fault(body, status, caller if source is None else source.name)
    if fault is None:
        return None
    made, text = entry.codec.encode_error(fault)
    found = json_values.decode_object(text) or {}
    error = json_values.get_object(found, "error")
    return made, msgspec.json.encode(
        {**found, "error": {**error, **{key: told[key] for key in told if key not in error}}}
    )


def _has_form(entry: WireProtocol, data: Json) -> bool:
    if entry.has_error_form is not None:
        return entry.has_error_form(data)
    return isinstance(json_values.get_object(data, "error").get("message"), str)


def _is_of_platform(data: Json, error: Json) -> bool:
    """True for a bare message, as AWS sends it, and for an error that has a code and no type, as Azure's."""
    if "error" not in data:
        return len(data) <= len(_BARE) and data.keys() <= _BARE and any(isinstance(one, str) for one in data.values())
    return all(isinstance(error.get(name), str) for name in ("code", "message")) and "type" not in error


def failure_in(events: bytes, source: str) -> Failure | None:
    """The first error among whole events of an upstream, in its own protocol's form; None when there is none."""
    dialect = BY_NAME[source].dialect
    for name, payload in payloads(events):
        data = json_values.look_at_object(payload)
        found = wire_dialect.find_failure(dialect, name, data) if data is not None else None
        if found is not None:
            return found
    return None


def find_silent_overflow(ended: Ended | Answer, ctx: Context) -> Fault | None:
    """The error for an answer without any content that ended at its limit, since the input filled the whole context:
    some servers say so in no other way. None where that is not certain. ended: its end, or all of it."""
    usage = ended.usage
    if ended.stop != "length" or usage.output != 0 or not usage.input or ctx.find_limit is None:
        return None
    read = usage.input + (usage.cache_read or 0) + (usage.cache_write or 0)
    limit = ctx.find_limit()
    if limit is None or read < limit:
        return None
    # It was cut: there was more by one token at least.
    numbers = Overflow(input=read + 1, window=limit)
    return Fault(400, "invalid_request_error", "The input fills the whole context.", overflow.CODE, overflow=numbers)


def make_event_fault(name: str, payload: bytes) -> Fault:
    """The error for an event that is no JSON object: an error event's text, or that."""
    text = _shorten(payload.decode("utf-8", "replace")).strip()
    if name == "error" and text:
        return Fault(500, "api_error", text)
    return Fault(500, "api_error", "The upstream sent an event that is no JSON object.")


def _shorten(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(char if char.isprintable() else " " for char in texts.cut_text(text, wire_dialect.QUOTE_LIMIT))
