"""Whether an answer is whole, as its protocol says it, and ended of itself: only such answers are given again."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from router.policy.answer_cache.eligibility import Kind
from router.wire.raw import sse
from router.wire.raw.json.json_values import UNREADABLE

Json = Mapping[str, Any]

_STOPS = ("end_turn", "stop_sequence", "tool_use")
_FINISHES = ("stop", "tool_calls", "function_call")


def is_complete(kind: Kind, body: bytes, *, stream: bool) -> bool:
    """True for a whole answer of that kind. stream: its body is a stream of events."""
    try:
        if stream:
            return _is_stream_complete(kind, body)
        found = msgspec.json.decode(body)
        return isinstance(found, dict) and _is_answer_complete(kind, cast("Json", found))
    except UNREADABLE:
        return False


def _is_answer_complete(kind: Kind, found: Json) -> bool:
    if found.get("error") is not None:
        return False
    if kind == "messages":
        return found.get("type") == "message" and found.get("stop_reason") in _STOPS
    if kind == "chat":
        reasons = [one.get("finish_reason") for one in _list_objects(found.get("choices"))]
        return bool(reasons) and all(reason in _FINISHES for reason in reasons)
    if kind == "responses":
        return found.get("status") == "completed"
    if kind == "embeddings":
        return bool(found.get("data"))
    return isinstance(found.get("input_tokens"), int)


def _is_stream_complete(kind: Kind, body: bytes) -> bool:
    events = list(_read_events(body))
    if any(one.get("type") == "error" or one.get("error") is not None for one in events):
        return False
    if kind == "messages":
        ends = [_as_object(one.get("delta")) for one in events if one.get("type") == "message_delta"]
        return bool(ends) and events[-1].get("type") == "message_stop" and ends[-1].get("stop_reason") in _STOPS
    if kind == "chat":
        choices = [choice for one in events for choice in _list_objects(one.get("choices"))]
        reasons = [reason for choice in choices if (reason := choice.get("finish_reason")) is not None]
        return bool(reasons) and all(reason in _FINISHES for reason in reasons)
    return kind == "responses" and bool(events) and events[-1].get("type") == "response.completed"


def _read_events(body: bytes) -> Iterator[Json]:
    """The objects of a stream's events, without comments and pings. Raises what is in UNREADABLE."""
    for _, event in sse.parse_events(body):
        if event.data and not event.is_done:
            found = msgspec.json.decode(event.data)
            if isinstance(found, dict) and cast("Json", found).get("type") != "ping":
                yield cast("Json", found)


def _as_object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _list_objects(value: object) -> Iterable[Json]:
    return [_as_object(one) for one in cast("list[object]", value)] if isinstance(value, list) else ()
