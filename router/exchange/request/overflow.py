"""A request that is too long for its model: the limit that its error tells is remembered, and the caller is told in the
words that its client knows, with the numbers as far as they are known.

An error of a backend that speaks the caller's protocol passes as it is where the protocol's clients know its words.
"""

import msgspec

from router.errors import BadRequest
from router.exchange.attempt import Attempt
from router.exchange.request.token_estimate import estimate_input
from router.exchange.upstream_response.large_work import run_on_loop
from router.ir import Fault, Usage
from router.overflow import Overflow
from router.wire import dialect, translate_errors
from router.wire.errors import overflow
from router.wire.neutral.losses import Loss
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.tap import Tap

_NOTE = "the error of a request that is too long was put into the words of its protocol"
#: Bytes of the largest error that is reworded.
_LIMIT = 1 << 20


def complete_fault(attempt: Attempt, fault: Fault) -> Fault:
    """An error of the upstream, completed by what is known of the model where it is that of a request that is too long.
    The limit that it tells is learned."""
    found = fault.overflow
    if found is None:
        return fault
    run_on_loop(_learn, attempt, found)
    if found.limit is None:
        known = attempt.context.runtime.learned_limits.learned(*_name_model(attempt))
        if known is not None:
            found = msgspec.structs.replace(found, window=known.window, max_input=known.max_input)
    if found.limit is not None and found.requested is None:
        body = attempt.context.body.data
        estimate = estimate_input(attempt.context, body if len(body) <= _LIMIT else b"").estimate
        if estimate > found.limit:
            found = msgspec.structs.replace(found, input=estimate, output=None, total=None)
    return msgspec.structs.replace(fault, overflow=found)


def _learn(attempt: Attempt, found: Overflow) -> None:
    if found.limit is not None:
        limits = attempt.context.runtime.learned_limits
        limits.learn(*_name_model(attempt), window=found.window, max_input=found.max_input)


def find_limit(attempt: Attempt) -> int | None:
    """The known limit of the model for input and output together, in tokens; None where there is none."""
    known = attempt.context.runtime.learned_limits.learned(*_name_model(attempt))
    return known.window if known is not None else None


def check_limit(attempt: Attempt, usage: Usage) -> None:
    """Forget the learned limit of a model when a good answer shows that it takes more. usage: of that answer."""
    tokens = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    attempt.context.runtime.learned_limits.contradict(*_name_model(attempt), tokens)


def _name_model(attempt: Attempt) -> tuple[str, str]:
    """The backend, and the model as it is named there."""
    return attempt.route.backend.name, attempt.route.model or attempt.context.facts.model or ""


def reword_error(attempt: Attempt, status: int, body: bytes | bytearray) -> tuple[int, bytes] | None:
    """Status and body for an error of a backend that speaks the caller's protocol, in words that clients of it know;
    None to pass it on as it is. status: of the answer, or the one that it should have had."""
    context = attempt.context
    entry = context.call.entry
    if attempt.plan is not None or not context.call.generates or entry.name not in BY_NAME or len(body) > _LIMIT:
        return None
    fault = translate_errors.read_fault(body, status, entry.name)
    if fault is None or fault.overflow is None:
        return None
    completed = complete_fault(attempt, fault)
    if status == completed.status and entry.knows_overflow(_find_error(json_values.decode_object(bytes(body)) or {})):
        return None
    context.record.note(_NOTE)
    attempt.losses = (*attempt.losses, Loss("error", "weakened"))
    return entry.codec.encode_error(completed)


def reword_events(attempt: Attempt, events: bytes, tap: Tap) -> bytes:
    """Whole events of a stream that has failed, from its error on in the words that clients of the protocol know. tap:
    of the stream."""
    context = attempt.context
    entry = context.call.entry
    if attempt.plan is not None or not context.call.generates or entry.name not in BY_NAME or len(events) > _LIMIT:
        return events
    begin = 0
    for end, event in sse.parse_events(events):
        data = json_values.decode_object(event.data)
        data = dialect.wrap_error(data) if data is not None and event.name == "error" else data
        fault = entry.codec.decode_error(data, 0) if data is not None and b"error" in event.data else None
        if data is not None and fault is not None and fault.overflow is not None:
            completed = complete_fault(attempt, fault)
            if entry.knows_overflow(_find_error(data)):
                return events
            context.record.note(_NOTE)
            error = BadRequest(_read_message(entry.codec.encode_error(completed)[1]))
            error.code = overflow.CODE
            return events[:begin] + context.call.dialect.error_events(error, context.record.id, tap)
        begin = end
    return events


def _find_error(data: Json) -> Json:
    """The error object in an error, or in the event of one; {} for one outside the forms of the protocols."""
    nested = json_values.get_object(data, "error") or json_values.get_object(
        json_values.get_object(data, "response"), "error"
    )
    return nested or (data if data.get("type") == "error" else {})


def _read_message(body: bytes) -> str:
    return str(_find_error(json_values.decode_object(body) or {}).get("message", ""))
