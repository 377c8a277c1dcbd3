"""What a table may change in a request, and what it may not."""

import pytest

from router.settings.fields import ALIASES, FIELD_PATHS, FIELDS, HEADER_NAMES, HEADERS, JSON
from router.settings.kinds import InvalidValue


@pytest.mark.parametrize(
    "name", ["X-Title", "HTTP-Referer", "anthropic-beta", "openai-organization", "user-agent", "x_a"]
)
def test_headers_that_may_be_set(name):
    """As the user spells them, with the value as it is; removing works by lower-case names."""
    assert HEADERS.parse_value({name: "a value; q=1"}) == {name: "a value; q=1"}
    assert HEADER_NAMES.parse_value([name]) == (name.lower(),)
    assert HEADER_NAMES.parse_text(f"{name}, other") == (name.lower(), "other")


REFUSED_HEADERS = {
    "writes it itself": [
        *("Host", "content-length", "Connection", "keep-alive", "Proxy-Connection", "TE", "trailer"),
        *("Transfer-Encoding", "upgrade", "expect", "HTTP2-Settings"),
    ],
    "belong to the backend's account": [
        *("Authorization", "x-api-key", "API-Key", "x-goog-api-key", "Proxy-Authorization"),
    ],
    "cookies never go": ["Cookie", "cookie2"],
    "fairlead's own": ["x-fairlead-key", "X-Fairlead-Anything"],
    "who is behind": ["X-Forwarded-For", "forwarded", "via", "x-real-ip", "origin", "Referer", "Sec-Fetch-Site"],
    "describe the body": ["content-type", "Content-Encoding"],
    "ask_identity": ["Accept-Encoding"],
    "not a valid header name": ["", "a b", "a:b", "é", "a\n", "x" * 257, "a\x00"],
}


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, names in REFUSED_HEADERS.items() for name in names]
)
def test_headers_that_may_not(reason, name):
    """Framing, credentials, cookies, traces and fairlead's own names: each refused with its reason."""
    with pytest.raises(InvalidValue, match=reason) as caught:
        HEADERS.parse_value({"x-fine": "a", name: "b"})
    assert caught.value.below == (name,)
    assert caught.value.refused
    with pytest.raises(InvalidValue, match=reason) as caught:
        HEADER_NAMES.parse_value(["x-fine", name or "a b"])
    assert caught.value.below == (1,)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\x00", "é", "x" * 8193, 1, True, None, ["a"], {"a": "b"}])
def test_wrong_header_value_is_refused(value):
    """Control characters would end the header; other types are no text."""
    with pytest.raises(InvalidValue) as caught:
        HEADERS.parse_value({"x-a": value})
    assert caught.value.below == ("x-a",)
    assert not caught.value.refused


def test_a_header_stands_once():
    """Case does not matter in header names, so two spellings are one header twice."""
    with pytest.raises(InvalidValue, match="twice") as caught:
        HEADERS.parse_value({"X-A": "1", "x-a": "2"})
    assert caught.value.below == ("x-a",)
    assert FIELDS.parse_value({"A": 1, "a": 2}) == {"A": 1, "a": 2}


@pytest.mark.parametrize("value", [0, -1.5, True, "x", [1, {"a": []}], {"a": {"b": "c"}}, [], {}])
def test_fields_take_json(value):
    """Any JSON value under a dotted path."""
    assert FIELDS.parse_value({"provider.order": value}) == {"provider.order": value}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("inf")], {"a": [None]}, 1 << 64, object()])
def test_fields_take_nothing_else(value):
    """What JSON has no form for, at any depth."""
    with pytest.raises(InvalidValue) as caught:
        FIELDS.parse_value({"a": value})
    assert caught.value.below == ("a",)


@pytest.mark.parametrize(
    ("reason", "path"),
    [
        ("model", "model"),
        ("tool decides", "stream"),
        ("conversation", "messages"),
        ("conversation", "messages.0.content"),
        ("conversation", "input"),
        ("conversation", "prompt"),
        ("not a dotted path", ""),
        ("not a dotted path", "a..b"),
        ("not a dotted path", ".a"),
        ("not a dotted path", "a."),
        ("not a dotted path", "a\n"),
        ("not a dotted path", "x" * 300),
    ],
)
def test_fields_that_may_not_be_changed(reason, path):
    """What decides where a request goes or what it says is not set by path."""
    with pytest.raises(InvalidValue, match=reason) as caught:
        FIELDS.parse_value({path: 1})
    assert (caught.value.below, caught.value.refused) == ((path,), True)
    with pytest.raises(InvalidValue):
        FIELD_PATHS.parse_value([path])


def test_paths_keep_their_case():
    """JSON's names have one."""
    assert FIELD_PATHS.parse_value(["topK", "a.B", "topK"]) == ("topK", "a.B")
    assert FIELD_PATHS.parse_text("topK,a.B") == ("topK", "a.B")


@pytest.mark.parametrize("value", [1, "x", [], [{"a": 1}], None, True])
def test_tables_are_tables(value):
    """A list or a text in the place of a table is refused."""
    for kind in (HEADERS, FIELDS, ALIASES):
        with pytest.raises(InvalidValue) as caught:
            kind.parse_value(value)
        assert caught.value.text == kind.expected
        with pytest.raises(InvalidValue):
            kind.parse_text("x = 1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("true", True),
        ('["a"]', ["a"]),
        ('{"a":1}', {"a": 1}),
        ("word", "word"),
        ('"1"', "1"),
        ("null", "null"),
    ],
)
def test_text_of_a_field_is_json_or_itself(text, value):
    """`config set` takes both."""
    assert JSON.to_toml(text) == JSON.parse_text(text) == value


@pytest.mark.parametrize("text", ["[" * 5000, "NaN", "1e999", "9" * 5000])
def test_text_that_only_looks_like_json_is_text(text):
    """It is not turned into what no JSON has."""
    assert JSON.to_toml(text) == text


def test_alias_names():
    """Case does not matter; two spellings are one name twice; targets keep their case."""
    assert ALIASES.parse_value({"Fast": "Groq:Llama"}) == {"fast": "Groq:Llama"}
    for bad in ({"a": ""}, {"a": "x\ny"}, {"a": "x" * 257}, {"a": 1}, {"a": ["b"]}, {"a": {"b": "c"}}):
        with pytest.raises(InvalidValue) as caught:
            ALIASES.parse_value(bad)
        assert caught.value.below == ("a",)
    for name in ("", " a", "a\x07", "x" * 257):
        with pytest.raises(InvalidValue) as caught:
            ALIASES.parse_value({name: "b"})
        assert (caught.value.below, caught.value.refused) == ((name,), True)
    with pytest.raises(InvalidValue, match="twice"):
        ALIASES.parse_value({"A": "b", "a": "c"})
