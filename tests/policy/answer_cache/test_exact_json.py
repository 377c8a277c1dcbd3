"""One form for all bodies that mean the same, and none for a body that may be understood in two ways."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.answer_cache.exact_json import NotExact, read_exact, write_canonical

SAME = (
    (b'{"a":1,"b":2}', b'{ "b" : 2 ,\n"a":1 }'),
    (b'{"a":1}', b'{"a":1.0}'),
    (b'{"a":1}', b'{"a":10e-1}'),
    (b'{"a":100}', b'{"a":1E+2}'),
    (b'{"a":0}', b'{"a":-0.0}'),
    (b'{"a":"\\u00e9/"}', '{"a":"é\\/"}'.encode()),
    (b'{"\\u0061":null}', b'{"a":null}'),
)
DIFFERENT = (
    (b'{"a":1}', b'{"a":"1"}'),
    (b'{"a":1}', b'{"a":true}'),
    (b'{"a":0}', b'{"a":false}'),
    (b'{"a":null}', b"{}"),
    (b'{"a":[1,2]}', b'{"a":[2,1]}'),
    (b'{"a":[]}', b'{"a":{}}'),
    (b'{"a":-1}', b'{"a":1}'),
    (b'{"a":0.1}', b'{"a":0.10000000000000000000000000000000000001}'),
    (b'{"a":12345678901234567890123456789012}', b'{"a":12345678901234567890123456789013}'),
    ('{"a":"é"}'.encode(), '{"a":"e\u0301"}'.encode()),
    (b'{"a":"","b":""}', b'{"a":"s0:s1:bs0:"}'),
    (b'{"a":{"b":1},"c":2}', b'{"a":{"b":1,"c":2}}'),
)
REFUSED = (
    b'{"a":1,"a":1}',
    b'{"a":{"b":1,"\\u0062":2}}',
    b'{"a":NaN}',
    b'{"a":-Infinity}',
    b'{"a":1,}',
    b"{'a':1}",
    b'{"a":1} x',
    b'\xef\xbb\xbf{"a":1}',
    b'{"a":"\xff"}',
    b'{"a":"\n"}',
    '{"a":1}'.encode("utf-16"),
    b"[1]",
    b"",
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
)
_KEYS = st.text(max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    # Lone surrogates too.
    | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def canonical(body):
    return write_canonical(read_exact(body))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_meaning(one, other):
    """The order of members, spaces, escapes and the form of a number do not count."""
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_meaning(one, other):
    """Types, nulls, order in lists, every digit and every character count."""
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("body", REFUSED)
def test_refused(body):
    """What two readers may understand differently has no canonical form."""
    with pytest.raises(NotExact):
        canonical(body)


def test_too_deep():
    """A value that is deeper than any request may be is refused, not run out of stack."""
    with pytest.raises(NotExact):
        canonical(b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")


def shuffled(value, flip):
    """The same value in another form: members in the opposite order, numbers with a fraction."""
    if isinstance(value, dict):
        items = [f"{json.dumps(key)} : {shuffled(one, flip)}" for key, one in value.items()]
        return "{" + " ,".join(reversed(items) if flip else items) + "}"
    if isinstance(value, list):
        return "[" + " , ".join(shuffled(one, flip) for one in value) + "]"
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return f"{value:f}" + ("" if "." in f"{value:f}" else ".0" if flip else "")
    return json.dumps(value, ensure_ascii=flip) if not isinstance(value, str) else json.dumps(value)


def same(one, other):
    """Whether two values mean the same: 1 and True are not, 1 and 1.0 are."""
    if isinstance(one, bool) or isinstance(other, bool) or type(one) is not type(other):
        numbers = all(isinstance(two, int | Decimal) and not isinstance(two, bool) for two in (one, other))
        return one == other if numbers else one is other
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(st.dictionaries(_KEYS, VALUES, max_size=5))
def test_any_other_form_is_the_same(value):
    """Whatever the value, its other form has the same canonical one."""
    plain, other = (shuffled(value, flip).encode() for flip in (False, True))
    assert canonical(plain) == canonical(other)


@given(VALUES, VALUES)
def test_one_form_means_one_value(one, other):
    """Two values have the same canonical form just when they mean the same."""
    assert (write_canonical(one) == write_canonical(other)) is same(one, other)
