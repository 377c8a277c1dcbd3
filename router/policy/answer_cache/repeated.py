"""Fields of a request that an answer in Responses repeats, though they do not change it.

An answer that is given again gets those of the request that it is given to; when they are the same already, not a byte
of it changes.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from router.wire.raw import sse
from router.wire.raw.json.json_values import UNREADABLE

#: Fields that do not change an answer: who asks, and where a provider's own cache may begin.
UNCHANGING = ("metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
_EMPTY: Mapping[str, Any] = {"metadata": {}}


def repeat_fields(body: bytes, request: Mapping[str, Any], *, stream: bool) -> bytes:
    """The answer with the fields of this request. body: of a whole answer, or of a stream of events."""
    if not any(b'"%b"' % name.encode("ascii") in body for name in UNCHANGING):
        return body
    if not stream:
        return _change_answer(body, request) or body
    changed = [_change_event(block, request) for block in _split(body)]
    return b"".join(changed)


def _split(body: bytes) -> list[bytes]:
    """The events of a stream, each with its blank line."""
    blocks: list[bytes] = []
    at = 0
    for end, _ in sse.parse_events(body):
        blocks.append(body[at:end])
        at = end
    return [*blocks, body[at:]]


def _change_event(block: bytes, request: Mapping[str, Any]) -> bytes:
    event = sse.parse_event(block)
    try:
        found: object = msgspec.json.decode(event.data) if event.data else None
    except UNREADABLE:
        return block
    response = cast("dict[str, Any]", found).get("response") if isinstance(found, dict) else None
    if not isinstance(response, dict) or not _change(cast("dict[str, Any]", response), request):
        return block
    return sse.frame(msgspec.json.encode(found), event.name)


def _change_answer(body: bytes, request: Mapping[str, Any]) -> bytes | None:
    try:
        found: object = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    if not isinstance(found, dict) or not _change(cast("dict[str, Any]", found), request):
        return None
    return msgspec.json.encode(found)


def _change(response: dict[str, Any], request: Mapping[str, Any]) -> bool:
    """Put the request's fields where the response has them; True when that changed it."""
    changed = False
    for name in UNCHANGING:
        wanted = request.get(name)
        wanted = _EMPTY.get(name) if wanted is None else wanted
        if name in response and response[name] != wanted:
            response[name] = wanted
            changed = True
    return changed
