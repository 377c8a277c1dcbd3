"""Fuzz target: the top level of a JSON body. Oracle: json, which reads the same text slowly."""

import json
import math

import pytest

from router.errors import BadRequest
from router.wire.raw.json.depth import DEPTH_LIMIT
from router.wire.raw.json.top_level import peek, read_model, wants_stream

from .mutation import MILLION, cases, spoilt

SEEDS = (
    b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}',
    b'{"model": "m", "stream": false, "max_tokens": 5, "x": [1, 2.5e3, null, true]}',
    b'{ "a" : { "model" : "inner" } , "model":\n"m" }',
    '{"model":"\u00fc\u2028\U0001f600","\u00fc":"\\ud83d\\ude00 \\u0000 \\" \\\\"}'.encode(),
    b'{"model":"a\\u0062c","mod\\u0065l2":NaN,"big":123456789012345678901234567890,"neg":-Infinity}',
    b"{}",
    b'\xef\xbb\xbf{"model":"m"}',
    b'{"a":"\xff","model":"m"}',
    b'{"a":' + b"[" * 199 + b"]" * 199 + b"}",
)
WORDS = (b'"model":', b'"stream":true', b'"model":"n"', b"{", b"}", b"[", b"]", b"null", b"1e999", b"\\u", b"\\ud800",
         b'"', b",", b": ", b"\xc3\xa9", b"\xe2\x80\xa8", b"NaN", b"[" * 150, b"0" * 400)  # fmt: skip


class _Pairs(list):
    """An object, with names that stand twice."""


def slow(body):
    """The pairs of an object as json reads it, None for what it does not."""
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        found = json.loads(text, object_pairs_hook=_Pairs, strict=False, parse_int=float)
    except (json.JSONDecodeError, RecursionError):
        return None
    return found if isinstance(found, _Pairs) else None


def plain(value):
    """Pairs as dicts, numbers as floats, undecodable as it comes, NaN as a text: for comparing."""
    if isinstance(value, _Pairs):
        return {name: plain(inner) for name, inner in value}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # json gave floats, msgspec gives integers of any length.
        value = float(value) if abs(value) < 10**308 else math.copysign(math.inf, value > 0 or -1)
        return "NaN" if math.isnan(value) else value
    return value


def depth(value):
    """How many levels."""
    inner = [item for _, item in value] if isinstance(value, _Pairs) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def check(body):
    """One body."""
    pairs = slow(body)
    try:
        top = peek(body)
    except BadRequest:
        names = [name for name, _ in pairs or ()]
        doubled = any(names.count(name) > 1 for name in ("model", "stream"))
        assert pairs is None or doubled or depth(pairs) > DEPTH_LIMIT
        return
    assert pairs is not None
    assert depth(pairs) <= DEPTH_LIMIT
    last = {}
    for name, value in pairs:
        last[name] = value
    assert set(top) == set(last)
    assert top.duplicates == {name for name in last if sum(other == name for other, _ in pairs) > 1}
    for name, value in last.items():
        start, end = top.span(name)
        assert body[start:end] == top.raw(name) == body[start:end].strip(b" \t\r\n")
        assert plain(top.value(name)) == plain(value)
    _check_names(top, last)


def _check_names(top, last):
    try:
        name = read_model(top)
    except BadRequest:
        name = None
    assert name is None or name == last["model"]
    try:
        assert wants_stream(top) is (last.get("stream") is True)
    except BadRequest:
        assert last["stream"] not in (True, False, None) or isinstance(last["stream"], float)


@pytest.mark.parametrize("count", [4000, MILLION])
def test_peek(count):
    """Read as json reads it, or refused with a reason that json has too."""
    for chance in cases("peek", count):
        body = spoilt(chance, chance.choice(SEEDS), WORDS)
        try:
            check(body)
        except Exception as error:
            raise AssertionError(f"{body!r}") from error
