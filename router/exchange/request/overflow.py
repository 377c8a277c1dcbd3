"""A request that is too long for its model: the limit that its error tells is remembered, and the caller is told in the
words that its client knows, with the numbers as far as they are known.

An error of a backend that speaks the caller's protocol passes as it is where the protocol's clients know its words.
"""

import re

import msgspec

from router.errors import BadRequest
from router.exchange.attempt import Attempt
from router.exchange.request.token_estimate import estimate_input
from router.exchange.upstream_response.large_work import run_on_loop
from router.ir import Fault, Usage
from router.ir.overflow import Overflow
from router.policy.facts.model_facts import HARD_SOURCES, KnownFacts
from router.policy.facts.token_estimates import TokenRange
from router.wire import dialect, translate_errors
from router.wire.errors import overflow
from router.wire.neutral.losses import Loss
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.tap import Tap

_NOTE = "the error of a request that is too long was put into the words of its protocol"
_NOTE_RATE = "a limit of rate that was told as a 413 was given the status of one"
#: Bytes of the largest error that is reworded.
_LIMIT = 1 << 20
#: Bytes of the largest request by whose error a limit is learned.
_SEARCHED = 8 << 20
# Characters in front of a limit that are compared with the request.
_BEFORE = 8
# A digit or a letter as an escape, which no client writes but one that hides them.
_ESCAPED = re.compile(rb"\\u00(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])")


def complete_fault(attempt: Attempt, fault: Fault) -> Fault:
    """An error of the upstream, completed by what is known of the model where it is that of a request that is too long.
    The limit that it tells is learned."""
    found = fault.overflow
    if found is None:
        return fault
    attempt.overflowed = True
    if not _is_quoted(found, fault.message, attempt.context.body.data):
        run_on_loop(_learn, attempt, found)
    tokens = _estimate(attempt)
    if found.limit is None:
        most = max(tokens.upper, found.requested or 0)
        window, max_input = (_find_broken(attempt, name, most) for name in ("window", "max_input"))
        found = msgspec.structs.replace(found, window=window, max_input=max_input)
    if found.limit is not None and found.requested is None and tokens.estimate > found.limit:
        found = msgspec.structs.replace(found, input=tokens.estimate, output=None, total=None)
    return msgspec.structs.replace(fault, overflow=found)


def _find_broken(attempt: Attempt, name: str, most: int) -> int | None:
    """A known limit that a request breaks which is too long. name: of the fact. most: the tokens that it has at most; a
    list or a table that gives the model as many is wrong, so that its limit is not told."""
    fact = _find_facts(attempt).origin_of(name)
    if fact is None or not isinstance(fact.value, int):
        return None
    return fact.value if fact.source in HARD_SOURCES or fact.value < most else None


def find_unsaid_overflow(attempt: Attempt) -> Fault | None:
    """The error for a request that was refused without a word, where it may have more tokens than its model is known to
    take; None where no limit is known, and where it has fewer. Nothing is learned from it."""
    if attempt.upstream.fields.get(b"content-encoding"):
        return None  # there may be words that cannot be read
    limit = _find_facts(attempt).input_limit
    if limit is None or not isinstance(limit.value, int):
        return None
    tokens = _estimate(attempt)
    if tokens.upper <= limit.value:
        return None
    attempt.overflowed = True
    numbers = Overflow(input=tokens.estimate if tokens.estimate > limit.value else None, max_input=limit.value)
    return Fault(
        400, "invalid_request_error", "The upstream refused it without a word.", overflow.CODE, overflow=numbers
    )


def _estimate(attempt: Attempt) -> TokenRange:
    body = attempt.context.body.data
    return estimate_input(attempt.context, body if len(body) <= _LIMIT else b"")


def _is_quoted(found: Overflow, message: str, request: bytes) -> bool:
    """True where the limit may be in the error because the request says it: errors quote what they are about, and what
    is learned of a limit has the requests of every other caller refused. request: b"" for one that is not held any
    more, since its answer began well: it may have said it."""
    if found.limit is None:
        return False
    if not request:
        return True
    # In a large one any escape counts, since the expression takes a while.
    hides = b"\\u00" in request if len(request) > _LIMIT else _ESCAPED.search(request) is not None
    if len(request) > _SEARCHED or hides:
        return True
    text = message[: overflow.READ_LIMIT]
    for number in (found.window, found.max_input):
        for told in () if number is None else (str(number), f"{number:,}"):
            at = text.find(told)
            while at >= 0:
                if text[max(0, at - _BEFORE) : at + len(told)].encode("utf-8", "replace") in request:
                    return True
                at = text.find(told, at + 1)
    return False


def _learn(attempt: Attempt, found: Overflow) -> None:
    if found.limit is not None:
        limits = attempt.context.runtime.learned_limits
        limits.learn(*_name_model(attempt), window=found.window, max_input=found.max_input)


def find_limit(attempt: Attempt) -> int | None:
    """The known limit of the model for input and output together, in tokens; None where there is none."""
    return _find_facts(attempt).facts.window


def check_limit(attempt: Attempt, usage: Usage) -> None:
    """Note what a good answer shows the model to take; a learned limit that is less is forgotten. usage: of that
    answer."""
    tokens = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    attempt.context.runtime.learned_limits.note_taken(*_name_model(attempt), tokens)


def _find_facts(attempt: Attempt) -> KnownFacts:
    return attempt.context.runtime.snapshot.facts.find(*_name_model(attempt))


def _name_model(attempt: Attempt) -> tuple[str, str]:
    """The backend, and the model as it is named there."""
    return attempt.route.backend.name, attempt.route.model or attempt.context.facts.model or ""


def note_overflow(attempt: Attempt, status: int, body: bytes | bytearray) -> None:
    """Note an error that says that the request is too long, before it is known whether the client gets it. Those that
    are translated are noted then. status: of the answer, or the one that it should have had."""
    if _may_be_told(attempt, body):
        _find_told(attempt, status, body)


def _may_be_told(attempt: Attempt, body: bytes | bytearray) -> bool:
    """True for an error of a backend that speaks the caller's protocol, which clients may act on."""
    context = attempt.context
    spoken = attempt.plan is None and context.call.generates and context.call.entry.name in BY_NAME
    return spoken and len(body) <= _LIMIT


def reword_error(attempt: Attempt, status: int, body: bytes | bytearray) -> tuple[int, bytes] | None:
    """Status and JSON for an error of a backend that speaks the caller's protocol, in words that clients of it know;
    None to pass it on as it is. status: of the answer, or the one that it should have had."""
    context = attempt.context
    entry = context.call.entry
    if not _may_be_told(attempt, body):
        return None
    completed = _find_told(attempt, status, body)
    if completed is None:
        return None
    if status == completed.status and entry.knows_overflow(_find_error(json_values.decode_object(bytes(body)) or {})):
        return None
    context.record.note(_NOTE if completed.overflow is not None else _NOTE_RATE)
    attempt.losses = (*attempt.losses, Loss("error", "weakened"))
    return entry.codec.encode_error(completed)


def _find_told(attempt: Attempt, status: int, body: bytes | bytearray) -> Fault | None:
    """The error of a backend that speaks the caller's protocol, where clients may not act on it as it is."""
    if translate_errors.is_unsaid(body, status):
        return find_unsaid_overflow(attempt)
    entry = attempt.context.call.entry
    fault = translate_errors.read_fault(body, status, entry.name)
    if fault is None:
        return None
    # Clients of Anthropic's API give up at a 413 whatever it says, others take any for a request that is too long.
    corrected = (status, fault.status) == (413, 429)
    return complete_fault(attempt, fault) if fault.overflow is not None or corrected else None


def reword_events(attempt: Attempt, events: bytes, tap: Tap) -> bytes:
    """Whole events of a stream that has failed, from its error on in the words that clients of the protocol know. tap:
    of the stream."""
    context = attempt.context
    entry = context.call.entry
    if not _may_be_told(attempt, events):
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
