"""The usage of answers that are no plain success: errors that hold one, and answers in the background.

A response that runs in the background is answered at once, without usage; what it used is told when it is fetched, as
often as that happens, and counts in the first look that finds it complete.
"""

import re
from collections.abc import Mapping

import msgspec

from router.exchange.attempt import Attempt
from router.exchange.upstream_response.large_work import contains, run_json
from router.ir import Usage
from router.telemetry.accesslog import RequestRecord
from router.wire import calls
from router.wire.protocols import BY_NAME, PLAIN, RESPONSES
from router.wire.raw.json import json_values
from router.wire.raw.json.top_level import MODEL_LIMIT
from router.wire.tap import HEAD_LIMIT, Tail, Tap, usage_of

_BACKGROUND = (b'"background":true', b'"background": true')
#: States of a response in the background that is not complete.
_UNDER_WAY = ("queued", "in_progress")
# What is read of a response in the background, beside its usage.
_STATE = ("background", "status", "id", "model")
# No error with a usage is larger.
_ERROR_LIMIT = 1 << 20
# What an answer says of itself before its content. Inside a text the quotation marks would be escaped.
_FIELD = re.compile(rb'"(id|model|status)":\s{0,4}"([^"\\]{1,256})"')


def note_error_usage(attempt: Attempt, body: bytes | bytearray) -> None:
    """Note the usage in an upstream's error: what it tells was billed. body: in the upstream's own protocol."""
    context = attempt.context
    if not context.call.counted or len(body) > _ERROR_LIMIT or b'"usage"' not in body:
        return
    dialect = context.call.dialect if attempt.plan is None else BY_NAME[attempt.plan.spoken].dialect
    found = usage_of(dialect, body, attempt.target.profile)
    if found.input is not None or found.output is not None:
        context.record.usage = found


async def note_other_usage(attempt: Attempt, body: bytes | bytearray) -> None:
    """Note the usage in the answer to a call that is none of a model for text: pictures, sound; and that of a response
    which was made in the background and is fetched."""
    context = attempt.context
    if not await contains(body, b'"usage"'):
        return
    if calls.tells_usage(context.call.path, context.request.method):
        usage = await run_json(len(body), usage_of, PLAIN, body, attempt.target.profile)
        _note_told_usage(attempt, usage, body)
    elif context.call.entry is RESPONSES and await _may_be_background(body):
        usage = await run_json(len(body), usage_of, context.call.dialect, body, attempt.target.profile)
        _note_fetched_usage(attempt, usage, await run_json(len(body), _read_state, body))


def note_late_usage(attempt: Attempt, tail: Tail) -> None:
    """Note the usage of an answer that was passed on as it came."""
    context = attempt.context
    usage, head = tail.usage(), tail.head
    if context.call.counted:
        translated = attempt.translated
        context.record.usage = usage if translated is None else translated.usage or usage
    elif calls.tells_usage(context.call.path, context.request.method):
        _note_told_usage(attempt, usage, head)
    elif any(mark in head for mark in _BACKGROUND):
        found = {name.decode(): value.decode("utf-8", "replace") for name, value in reversed(_FIELD.findall(head))}
        _note_fetched_usage(attempt, usage, {**found, "background": True})


def tells_usage(attempt: Attempt, fields: Mapping[bytes, bytes]) -> bool:
    """True when an answer may have a usage that counts. fields: of the answer's head."""
    call = attempt.context.call
    if call.counted:
        return True
    is_json = b"json" in fields.get(b"content-type", b"").lower()
    return is_json and (call.entry is RESPONSES or calls.tells_usage(call.path, attempt.context.request.method))


def _note_told_usage(attempt: Attempt, usage: Usage, body: bytes | bytearray) -> None:
    """Note what the answer to a call told that is none of a model for text. One that was only accepted tells counts of
    zero, which say nothing of its cost. body: the answer, or its beginning."""
    record = attempt.context.record
    if usage.input or usage.output or usage.cache_read or usage.cache_write or usage.charge is not None:
        record.usage = usage
        if record.model is None:
            found = dict(reversed(_FIELD.findall(body, 0, HEAD_LIMIT)))
            _name_model(record, found.get(b"model", b"").decode("utf-8", "replace") or None)


def _note_fetched_usage(attempt: Attempt, usage: Usage, answer: json_values.Json) -> None:
    """Note the usage of a response that was made in the background, in the first look that finds it complete."""
    context = attempt.context
    if answer.get("background") is not True or answer.get("status") in _UNDER_WAY:
        return
    if usage.input is not None and context.runtime.counted_responses.add(str(answer.get("id") or "")):
        context.record.usage = usage
        _name_model(context.record, answer.get("model"))
        context.record.note("made in the background, counted when it was fetched")


async def settle_background(attempt: Attempt, body: bytes | bytearray) -> None:
    """Count nothing for an answer of Responses that only says that the response is being made. One that is whole
    already is noted, so that no later look counts it again."""
    context = attempt.context
    if not await _may_be_background(body):
        return
    data = await run_json(len(body), _read_state, body)
    if data.get("background") is not True:
        return
    if data.get("status") in _UNDER_WAY:
        context.record.usage = Usage(0, 0)
        context.record.note("answered in the background: it is counted when it is fetched")
    elif context.record.usage.input is not None:
        context.runtime.counted_responses.add(str(data.get("id") or ""))


async def _may_be_background(body: bytes | bytearray) -> bool:
    """False for an answer that does not say that it is made in the background."""
    for mark in _BACKGROUND:
        if await contains(body, mark):
            return True
    return False


def _read_state(body: bytes | bytearray) -> json_values.Json:
    """What the answer says of itself, without all that it holds: that is not for the loop to free."""
    data = json_values.look_at_object(bytes(body)) or {}
    return {name: data[name] for name in _STATE if name in data}


def find_stream_usage(attempt: Attempt, tap: Tap, usage: Usage) -> Usage:
    """Of the usage that a stream told, what counts for this request: that of an answer which is looked at once more was
    counted before, unless it is a response that was made in the background."""
    context = attempt.context
    call = context.call
    made_here = call.generates or calls.tells_usage(call.path, context.request.method)
    if call.entry is not RESPONSES or not tap.in_background:
        return usage if made_here else Usage()
    announced = tap.collect_response()
    if announced.get("background") is not True or usage.output is None:
        return usage if made_here else Usage()
    first = context.runtime.counted_responses.add(tap.response_id)
    if made_here:
        return usage
    _name_model(context.record, announced.get("model"))
    return usage if first else Usage()


def _name_model(record: RequestRecord, model: object) -> None:
    """Note the model of an answer that was fetched, by which it is priced: the request names none."""
    if record.model is None and isinstance(model, str):
        record.sent_model = model[:MODEL_LIMIT]


def copy_usage(usage: Usage) -> Usage:
    """A usage that may be changed by itself."""
    return msgspec.structs.replace(usage)
