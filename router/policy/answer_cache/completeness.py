"""Whether an answer is whole, as its protocol says it, and ended of itself: only such answers are given again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from router.policy.answer_cache.eligibility import COUNTED, EMBEDDED, Kind
from router.wire.kept_answers.rules import list_objects
from router.wire.protocols import BY_NAME, derived
from router.wire.raw import sse
from router.wire.raw.json.json_values import UNREADABLE

Json = Mapping[str, Any]


def is_complete(kind: Kind, body: bytes, *, stream: bool) -> bool:
    """True for a whole answer of that kind. stream: its body is a stream of events."""
    try:
        if stream:
            return _is_stream_complete(kind, body)
        found = msgspec.json.decode(body)
        if isinstance(found, list):
            # The chunks of a stream that its caller asked for as one array.
            return _are_events_complete(kind, list_objects(cast("object", found)))
        return isinstance(found, dict) and _is_answer_complete(kind, cast("Json", found))
    except UNREADABLE:
        return False


def _is_answer_complete(kind: Kind, found: Json) -> bool:
    if found.get("error") is not None:
        return False
    if kind == EMBEDDED:
        return any(found.get(name) for name in _list_embedded_fields())
    if kind == COUNTED:
        return any(isinstance(found.get(name), int) for name in _list_count_fields())
    rules = BY_NAME[kind].kept
    return rules is not None and rules.is_whole(found)


@derived
def _list_embedded_fields() -> tuple[str, ...]:
    """The fields that hold embeddings in the answers of any API; the first is that of OpenAI's."""
    return ("data", *(name for entry in BY_NAME.values() if entry.kept is not None for name in entry.kept.embedded))


@derived
def _list_count_fields() -> tuple[str, ...]:
    """The fields that hold a count in the answers of any protocol."""
    return tuple(entry.count.answer_field for entry in BY_NAME.values() if entry.count is not None)


def _is_stream_complete(kind: Kind, body: bytes) -> bool:
    return _are_events_complete(kind, list(_read_events(body)))


def _are_events_complete(kind: Kind, events: Sequence[Json]) -> bool:
    if any(one.get("type") == "error" or one.get("error") is not None for one in events):
        return False
    rules = BY_NAME[kind].kept if kind in BY_NAME else None
    return rules is not None and rules.is_stream_whole(events)


def _read_events(body: bytes) -> Iterator[Json]:
    """The objects of a stream's events, without comments and pings. Raises what is in UNREADABLE."""
    for _, event in sse.parse_events(body):
        if event.data and not event.is_done:
            found = msgspec.json.decode(event.data)
            if isinstance(found, dict) and cast("Json", found).get("type") != "ping":
                yield cast("Json", found)
