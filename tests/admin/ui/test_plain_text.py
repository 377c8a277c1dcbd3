"""Texts of callers and upstreams, made safe to show."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.admin.ui.plain_text import TEXT_LIMIT, encode

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[2J\x00\u200b\u2066end"


class Sample(msgspec.Struct):
    """Texts where a struct can have them."""

    text: str
    names: dict[str, list[str]]
    number: int = 1


def test_markup_stays_and_controls_become_visible():
    """The page shows texts as texts, so that markup may stay; what hides or reorders text is escaped."""
    found = json.loads(encode(Sample(HOSTILE, {HOSTILE: [HOSTILE]})))
    shown = "<img src=x onerror=alert(1)>\\u202e\\u001b[2J\\u0000\\u200b\\u2066end"
    assert found == {"text": shown, "names": {shown: [shown]}, "number": 1}


def test_lines_stay_lines():
    """A problem with its fix below it is still two lines."""
    assert json.loads(encode(Sample("what\nfix", {})))["text"] == "what\nfix"


@given(st.text(max_size=50), st.integers(0, 10_000))
def test_no_text_is_long(text, times):
    """However long a text is, and whatever it holds, few characters of it are told."""
    [(name, [value])] = json.loads(encode(Sample("", {text * times: [text * times]})))["names"].items()
    assert len(name) <= 15 * TEXT_LIMIT
    assert not set(value) & {"\x1b", "\x00", "\u202e", "\u2066", "\r"}
