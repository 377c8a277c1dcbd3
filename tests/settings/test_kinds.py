"""Each kind of value, in both forms in which it comes: as text and as TOML."""

import datetime
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings import DECLARATIONS, Frozen, Secret
from router.settings.kinds import (
    BACKEND,
    CAP,
    LEVEL,
    MODEL,
    NAMES,
    PORT,
    SECRET,
    SWITCH,
    TEXT,
    TIME,
    TOKENS,
    InvalidValue,
    choice,
    clean,
    display,
    some_of,
)
from router.settings.tables import BACKENDS, ROUTE

KIND = {
    "text": TEXT,
    "secret": SECRET,
    "time": TIME,
    "switch": SWITCH,
    "names": NAMES,
    "port": PORT,
    "level": LEVEL,
    "tokens": TOKENS,
    "cap": CAP,
    "model": MODEL,
    "backend": BACKEND,
    "choice": choice("api", "all"),
    "auto": choice("auto", "on", "off"),
    "some": some_of("a", "b"),
}
DATE = datetime.date(2026, 1, 1)
LONG = 1 << 63
# kind -> TOML value, what it means
GOOD = [
    ("text", " a b ", "a b"),
    ("text", "é", "é"),
    ("secret", "k", Secret("k")),
    ("time", "120s", 120.0),
    ("time", "2m", 120.0),
    ("time", "7", 7.0),
    ("time", 120, 120.0),
    ("time", 0.25, 0.25),
    ("switch", True, True),
    ("switch", False, False),
    ("switch", "on", True),
    ("switch", "Off", False),
    ("names", ["Box.lan", " b "], ("box.lan", "b")),
    ("names", ["a", "A"], ("a",)),
    ("some", ["b", " A ", "b"], ("b", "a")),
    ("some", "a,b", ("a", "b")),
    ("some", [], ()),
    ("some", "off", ()),
    ("some", "All", ("all",)),
    ("some", False, ()),
    ("names", [], ()),
    ("names", "a, b", ("a", "b")),
    ("port", 0, 0),
    ("port", 65535, 65535),
    ("level", 2, 2),
    ("tokens", 0, 0),
    ("tokens", 10**15 - 1, 10**15 - 1),
    ("cap", 1, 1),
    ("model", "groq:llama3:8b", "groq:llama3:8b"),
    ("backend", "My-Box_1", "my-box_1"),
    ("choice", "ALL", "all"),
    ("auto", True, "on"),
    ("auto", False, "off"),
    ("auto", "auto", "auto"),
]
BAD = [
    *[(name, value) for name in KIND for value in (None, {}, {"a": 1}, DATE, LONG, -LONG)],
    *[(name, [1]) for name in KIND],
    *[(name, True) for name in KIND if name not in ("switch", "auto")],
    *[(name, 1.5) for name in KIND if name != "time"],
    *[(name, "") for name in KIND if name not in ("names", "some")],
    *[(name, "\x00") for name in KIND],
    *[(name, float(number)) for name in KIND for number in ("nan", "inf", "-inf", "1e300", "-1", "0")],
    ("text", 1),
    ("text", ["a"]),
    ("text", "a\x1b[31m"),
    ("text", "a\u202eb"),
    ("secret", 12345),
    ("secret", "two words"),
    ("time", "two minutes"),
    ("time", 0),
    ("time", -5),
    ("time", "-5s"),
    ("time", "0.0s"),
    ("time", LONG - 1),
    ("switch", 1),
    ("switch", 0),
    ("switch", "maybe"),
    ("some", ["a", "c"]),
    ("some", ["off"]),
    ("some", "a b"),
    ("names", ["a", 1]),
    ("names", ["a,b"]),
    ("names", [""]),
    ("names", [["a"]]),
    ("names", 1),
    ("port", "80"),
    ("port", -1),
    ("port", 65536),
    ("level", 3),
    ("level", "1"),
    ("tokens", -1),
    ("tokens", "5"),
    ("cap", 0),
    ("cap", -5),
    ("model", "x" * 257),
    ("model", "é" * 129),
    ("backend", "a.b"),
    ("backend", "ü"),
    ("backend", "x" * 65),
    ("choice", "some"),
    ("choice", False),
]


def _short(value):
    return display(value)[:20]


@pytest.mark.parametrize(("kind", "value", "meant"), GOOD)
def test_toml_value_is_read(kind, value, meant):
    """Each in its own type, and nothing else is made of it."""
    found = KIND[kind].parse_value(value)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(("kind", "value"), BAD, ids=_short)
def test_wrong_toml_value_is_refused(kind, value):
    """Wrong types, negative numbers and what is too large: with what was expected, and without the value."""
    with pytest.raises(InvalidValue) as caught:
        KIND[kind].parse_value(value)
    assert caught.value.text == KIND[kind].expected
    assert not caught.value.refused


@pytest.mark.parametrize("kind", KIND)
def test_text_and_toml_agree(kind):
    """What `config set` saves for a text is read from the file as the text would be from the environment."""
    texts = {
        "text": [" a b "],
        "secret": ["k"],
        "time": ["2m", "90", "0.5s"],
        "switch": ["on", "no", "1"],
        "names": ["a, B,", ""],
        "port": [" 80 "],
        "level": ["1"],
        "tokens": ["0"],
        "cap": ["4096"],
        "model": ["a:b"],
        "backend": ["Groq"],
        "choice": ["API"],
        "auto": ["ON"],
        "some": ["B, a", "Off", ""],
    }
    for text in texts[kind]:
        assert KIND[kind].parse_value(KIND[kind].to_toml(text)) == KIND[kind].parse_text(text)


NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@given(NESTED, st.sampled_from(sorted({*KIND})))
def test_any_value_is_read_or_refused(value, kind):
    """No value of TOML, of whatever type, raises anything else."""
    try:
        KIND[kind].parse_value(value)
    except InvalidValue as wrong:
        said = wrong.text
        assert said == KIND[kind].expected


@given(NESTED)
def test_every_declared_key_reads_or_refuses(value):
    """The kinds of the tables too: headers, fields, lists of them."""
    for entry in (*DECLARATIONS, *ROUTE, *BACKENDS):
        try:
            entry.kind.parse_value(value)
        except InvalidValue as wrong:
            said = wrong.text
            assert said


@given(st.text())
def test_every_declared_key_takes_or_refuses_text(text):
    """And what it takes, it can save and read again."""
    for entry in (*DECLARATIONS, *ROUTE, *BACKENDS):
        try:
            meant = entry.kind.parse_text(text)
        except InvalidValue:
            continue
        assert entry.kind.parse_value(entry.kind.to_toml(text)) == meant


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two minutes", '"two minutes"'),
        ("a\nb\x1b[0m\u202e", '"a\\u000ab\\u001b[0m\\u202e"'),
        ("x" * 500, '"' + "x" * 120 + '…"'),
        (True, "true"),
        (-5, "-5"),
        (1.5, "1.5"),
        ({}, "a table"),
        ([1], "a list"),
        (DATE, "2026-01-01"),
    ],
)
def test_errors_show_values_harmlessly(value, shown):
    """In quotes, cut, without what a terminal would obey."""
    assert display(value) == shown


def test_number_too_long_to_show_is_refused():
    """Python would not turn it into text."""
    number = 10**5000
    for kind in KIND.values():
        with pytest.raises(InvalidValue):
            kind.parse_value(number)
    assert display(number) == "a number of more than 64 bits"


SEEN = {*map(chr, range(0x600, 0x606)), *"\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"}
# Of Egyptian hieroglyphs; they join what is seen.
SEEN |= {*map(chr, range(0x13430, 0x13440))}


def test_no_character_that_hides_or_reorders_text_is_printed():
    """Every control and format character of Unicode becomes an escape, but those that are seen themselves."""
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in SEEN:
            assert clean(f"a{char}b").isascii(), hex(code)
            with pytest.raises(InvalidValue):
                MODEL.parse_text(f"a{char}b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("a\u200db", "a\\u200db"),
        ("\u200da", "\\u200da"),
        ("\u4e2d\u200d", "\u4e2d\\u200d"),
        ("a\u061cb", "a\\u061cb"),
        ("a\U000e0041b", "a\\U000e0041b"),
    ],
)
def test_joiners_stay_where_scripts_need_them(text, shown):
    """Emoji and Persian are shown as written; between Latin letters a joiner only hides."""
    assert clean(text) == shown


@given(st.text(), st.integers(0, 200))
def test_cleaning_is_done_once(text, limit):
    """What was cleaned is left as it is, and no text is longer than its limit and a mark."""
    once = clean(text, 10**6)
    assert clean(once, 10**6) == once
    assert len(clean(text, limit)) <= limit + 1


@given(st.text())
def test_cleaned_text_is_one_line(text):
    """Whatever it was."""
    assert len(clean(text).splitlines()) <= 1
    assert "\x1b" not in clean(text)


def test_frozen_mapping_is_a_value():
    """It compares with any mapping, can be hashed, and cannot be changed."""
    one = Frozen({"a": [1]})
    assert one == {"a": [1]} == Frozen({"a": [1]}) != Frozen({"a": [2]})
    assert hash(one) == hash(Frozen({"a": [1]}))
    assert (len(one), list(one), repr(one), one["a"]) == (1, ["a"], "{'a': [1]}", [1])
    assert not Frozen()
    with pytest.raises(TypeError):
        one["a"] = 2
