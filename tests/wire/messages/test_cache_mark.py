"""A cache mark for requests that have none: the only member that is added, and only where there is no mark."""

import json

import pytest

from router.wire.messages.cache_mark import mark_cache
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import peek

MARK = {"cache_control": {"type": "ephemeral"}}
PLAIN = {"model": "m", "messages": [{"role": "user", "content": '"cache_control": said a text'}], "x": 1.0}


def marked(value):
    """The body after the edit, and whether it was made."""
    body = json.dumps(value, indent=1).encode()
    splice = Splice(body, peek(body))
    made = mark_cache(splice)
    return b"".join(map(bytes, splice.parts())), made, body


def test_a_request_without_marks_gets_one():
    """In front of all else, of which each byte stays."""
    found, made, body = marked(PLAIN)
    assert made
    assert found == b'{"cache_control":{"type":"ephemeral"},' + body[1:]


@pytest.mark.parametrize(
    "more",
    [
        MARK,
        {"cache_control": None},
        {"system": [{"type": "text", "text": "a", **MARK}]},
        {"tools": [{"name": "a", **MARK}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", **MARK}]}]},
    ],
    ids=["of the whole", "none by intent", "of the system prompt", "of a tool", "of a message"],
)
def test_a_request_with_marks_is_left_alone(more):
    """The client knows better where they belong."""
    found, made, body = marked({**PLAIN, **more})
    assert not made
    assert found == body
