"""The edits a user configured: the notes name each, and all else stays byte for byte."""

import json

import pytest

from router.errors import BadRequest
from router.exchange.request.configured_edits import change_body, touches
from router.settings.tables import Edits
from router.upstream.configured_headers import header_changes
from router.wire import calls
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import peek

PATHS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}


def changed(body, *all_edits, path="/v1/chat/completions", vendor=""):
    """The body after the edits, and the notes."""
    splice = Splice(body, peek(body))
    notes = []
    change_body(splice, all_edits, call=calls.call(path), vendor=vendor, notes=notes)
    return b"".join(splice.parts()), notes


def one(body, path="/v1/chat/completions", vendor="", **edits):
    return changed(body, Edits(**edits), path=path, vendor=vendor)


@pytest.mark.parametrize(
    ("fields", "body", "wanted", "notes"),
    [
        ({"a": 1}, b'{"model":"m"}', b'{"a":1,"model":"m"}', ["field a set"]),
        ({"a": [1, "x"]}, b'{"model":"m", "a" : {} }', b'{"model":"m", "a" : [1,"x"] }', ["field a set"]),
        ({"a.b": None}, b'{"model":"m"}', b'{"a":{"b":null},"model":"m"}', ["field a.b set"]),
        ({"a.b.c": 1}, b'{"model":"m","a":null}', b'{"model":"m","a":{"b":{"c":1}}}', ["field a.b.c set"]),
        (
            {"a.b": 2},
            b'{"model":"m","a":{"x": 1.0, "b":1,"y":1e400,"z":"\\u0061"}}',
            b'{"model":"m","a":{"x":1.0,"b":2,"y":1e400,"z":"\\u0061"}}',
            ["field a.b set"],
        ),
        ({"a.b": 1}, b'{"model":"m","a":5}', None, ["field a.b left alone: the parent of b is not an object"]),
        (
            {"a.b.c": 1},
            b'{"model":"m","a":{"b":[]}}',
            None,
            ["field a.b.c left alone: the parent of c is not an object"],
        ),
        ({"model": "x"}, b'{"model":"m"}', None, ["field model left alone: routing decides it"]),
        ({"stream": True}, b'{"model":"m"}', None, ["field stream left alone: routing decides it"]),
    ],
)
def test_a_field_is_set(fields, body, wanted, notes):
    """By its dotted path; what is beside it keeps its spelling, and what cannot be done is said."""
    assert one(body, set_fields=fields) == (wanted or body, notes)


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("a", b'{"model":"m", "a" : 1}', b'{"model":"m"}'),
        ("a", b'{"a":1,"model":"m"}', b'{"model":"m"}'),
        ("a.b", b'{"model":"m","a":{"b":1,"c": 2.0}}', b'{"model":"m","a":{"c":2.0}}'),
        ("a.b", b'{"model":"m","a":{"b":1}}', b'{"model":"m","a":{}}'),
        ("a.b.c", b'{"model":"m","a":{"b":{"c":1},"d":1}}', b'{"model":"m","a":{"b":{},"d":1}}'),
        ("a", b'{"model":"m"}', None),
        ("a.b", b'{"model":"m","a":{"c":1}}', None),
        ("a.b", b'{"model":"m","a":[{"b":1}]}', None),
        ("a.b.c", b'{"model":"m","a":{"b":1}}', None),
    ],
)
def test_a_field_is_removed(path, body, wanted):
    """What is not there is not noted either."""
    assert one(body, remove_fields=(path,)) == (wanted or body, [f"field {path} removed"] if wanted else [])


def test_the_rule_wins():
    """The backend's table comes first and the rule's upon it; what is set wins over what is removed."""
    backend = Edits(set_fields={"a": 1, "b": 1, "x.y": 1}, remove_fields=("c",), effort="low", max_tokens=100)
    rule = Edits(set_fields={"a": 2, "c": 2}, remove_fields=("b", "c", "x"), effort="high", max_tokens=200)
    body = b'{"model":"m","b":0,"c":0,"max_tokens":500}'
    new, notes = changed(body, backend, rule)
    assert json.loads(new) == {"model": "m", "a": 2, "c": 2, "max_tokens": 100, "reasoning_effort": "high"}
    assert notes[-2:] == ["effort high", "max_tokens lowered to 100"]
    assert changed(body, rule, backend)[1][-2:] == ["effort low", "max_tokens lowered to 100"]


EFFORTS = [
    ("chat", "low", {}, {"reasoning_effort": "low"}),
    ("chat", "none", {"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
    ("responses", "xhigh", {"reasoning": {"summary": "auto"}}, {"reasoning": {"summary": "auto", "effort": "xhigh"}}),
    ("responses", "minimal", {}, {"reasoning": {"effort": "minimal"}}),
    ("messages", "max", {"output_config": {"format": 1}}, {"output_config": {"format": 1, "effort": "max"}}),
    ("messages", "minimal", {}, {"output_config": {"effort": "low"}}),
    (
        "messages",
        "none",
        {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}},
        {"output_config": {}, "thinking": {"type": "disabled"}},
    ),
]


@pytest.mark.parametrize(("protocol", "effort", "before", "after"), EFFORTS)
def test_the_effort_stands_where_the_protocol_has_it(protocol, effort, before, after):
    """And says none in the protocol's own way."""
    new, notes = one(json.dumps({"model": "m", **before}).encode(), path=PATHS[protocol], effort=effort)
    assert json.loads(new) == {"model": "m", **after}
    assert notes == [f"effort {effort}"]


@pytest.mark.parametrize(
    ("model", "after"),
    [
        ("claude-opus-4-8", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
        ("claude-opus-5-5", {"output_config": {"effort": "low"}}),
        ("claude-fable-5", {"output_config": {"effort": "low"}}),
    ],
)
def test_a_model_that_always_thinks_is_not_told_to_stop(model, after):
    """It would refuse the request; the lowest effort comes nearest."""
    new, notes = one(json.dumps({"model": model}).encode(), path=PATHS["messages"], effort="none")
    assert json.loads(new) == {"model": model, **after}
    assert notes == ["effort none"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions", "/v1/messages/count_tokens", "/v1/images"])
def test_only_generation_has_an_effort_and_a_limit(path):
    """Other paths would refuse the fields; fields set by name are set wherever a model is named."""
    body = b'{"model":"m"}'
    assert one(body, path=path, effort="low", max_tokens=5) == (body, [])
    assert one(body, path=path, set_fields={"a": 1})[1] == ["field a set"]


CAPS = [
    ("messages", "", {"max_tokens": 500}, {"max_tokens": 100}, ["max_tokens lowered to 100"]),
    ("messages", "", {"max_tokens": 100}, {"max_tokens": 100}, []),
    ("messages", "", {"max_tokens": 7}, {"max_tokens": 7}, []),
    ("messages", "", {"max_tokens": 1e9}, {"max_tokens": 100}, ["max_tokens lowered to 100"]),
    ("messages", "", {"max_tokens": 10**30}, {"max_tokens": 100}, ["max_tokens lowered to 100"]),
    ("messages", "", {"max_tokens": "500"}, {"max_tokens": "500"}, []),
    ("messages", "", {"max_tokens": True}, {"max_tokens": True}, []),
    ("messages", "", {"max_tokens": None}, {"max_tokens": 100}, ["max_tokens set to 100"]),
    ("messages", "", {}, {"max_tokens": 100}, ["max_tokens set to 100"]),
    (
        "messages",
        "",
        {"max_output_tokens": 500},
        {"max_output_tokens": 500, "max_tokens": 100},
        ["max_tokens set to 100"],
    ),
    ("chat", "", {}, {"max_tokens": 100}, ["max_tokens set to 100"]),
    ("chat", "openai", {}, {"max_completion_tokens": 100}, ["max_completion_tokens set to 100"]),
    ("chat", "openai", {"max_tokens": 500}, {"max_tokens": 100}, ["max_tokens lowered to 100"]),
    (
        "chat",
        "",
        {"max_tokens": 500, "max_completion_tokens": 600},
        {"max_tokens": 100, "max_completion_tokens": 100},
        ["max_completion_tokens lowered to 100", "max_tokens lowered to 100"],
    ),
    ("chat", "", {"max_completion_tokens": 50}, {"max_completion_tokens": 50}, []),
    ("responses", "", {}, {"max_output_tokens": 100}, ["max_output_tokens set to 100"]),
    ("responses", "", {"max_output_tokens": 101}, {"max_output_tokens": 100}, ["max_output_tokens lowered to 100"]),
]


@pytest.mark.parametrize(("protocol", "vendor", "before", "after", "notes"), CAPS)
def test_a_cap_only_lowers(protocol, vendor, before, after, notes):
    """What the caller asked is never raised; without a limit the cap is one."""
    new, said = one(json.dumps({"model": "m", **before}).encode(), path=PATHS[protocol], vendor=vendor, max_tokens=100)
    assert (json.loads(new), said) == ({"model": "m", **after}, notes)


def test_a_cap_on_the_older_completions():
    """Its default is small: a limit that is there is lowered, none is added."""
    assert (
        one(b'{"model":"m","max_tokens":9}', path="/v1/completions", max_tokens=5)[0] == b'{"model":"m","max_tokens":5}'
    )


def test_nan_is_over_every_cap():
    """All values that Python's parsers read as a number are compared with the cap."""
    assert one(b'{"model":"m","max_tokens":NaN}', path=PATHS["messages"], max_tokens=5)[1] == [
        "max_tokens lowered to 5"
    ]


@pytest.mark.parametrize("edits", [{"max_tokens": 5}, {"set_fields": {"max_tokens": 1}}, {"remove_fields": ("a",)}])
def test_a_doubled_key_is_refused(edits):
    """A cap must not be in a field that an upstream may ignore."""
    body = b'{"model":"m","a":1,"max_tokens":9,"max_tokens":8}'
    with pytest.raises(BadRequest, match="twice"):
        one(body, path=PATHS["messages"], **edits)


def test_what_is_touched():
    """Fields below a name count as the name."""
    assert touches([Edits(), Edits(set_fields={"stream_options.x": 1})], "stream_options")
    assert touches([Edits(remove_fields=("stream_options",))], "stream_options")
    assert not touches([Edits(set_fields={"x.stream_options": 1})], "stream_options")


def test_headers():
    """Set and removed by name in any case; the rule wins, and what is set wins over what is removed."""
    backend = Edits(set_headers={"X-A": "1", "X-B": "1"}, remove_headers=("x-c", "X-D"))
    rule = Edits(set_headers={"x-a": "2", "X-C": "2"}, remove_headers=("x-b", "x-c"))
    notes = []
    present = {b"x-b": b"0", b"x-c": b"0", b"x-d": b"0"}
    found = header_changes([backend, rule], present, notes)
    assert found == {
        b"x-a": (b"x-a", b"x-a", b"2"),
        b"x-b": None,
        b"x-c": (b"X-C", b"x-c", b"2"),
        b"x-d": None,
    }
    assert sorted(notes) == ["header x-a set", "header x-b removed", "header x-c set", "header x-d removed"]
    notes = []
    header_changes([Edits(remove_headers=("x-e",))], present, notes)
    assert notes == []


FORBIDDEN = (
    *("Host", "content-length", "Transfer-Encoding", "connection", "te", "upgrade", "authorization", "X-Api-Key"),
    *("api-key", "x-goog-api-key", "cookie", "proxy-authorization", "x-fairlead-key", "x-forwarded-for", "via"),
    *("content-type", "content-encoding", "accept-encoding", "sec-fetch-site", "", "two words", "x:y", "x\r\ny", "ü"),
)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_headers_that_are_not_to_be_edited(name):
    """What frames the message, describes it, carries a credential, or is no header at all; it is said."""
    notes = []
    assert header_changes([Edits(set_headers={name: "x"}, remove_headers=(name,))], {}, notes) == {}
    assert notes == [f"header {name} left alone"] * 2


@pytest.mark.parametrize("value", ["", " x", "x ", "a\r\nb", "a\x00", "é", "\u2028"])
def test_values_no_header_can_have(value):
    """Nothing that could begin another line goes out."""
    notes = []
    assert header_changes([Edits(set_headers={"x-a": value})], {}, notes) == {}
    assert notes == ["header x-a left alone"]


@pytest.mark.parametrize(
    ("effort", "taken", "sent", "note"),
    [
        ("xhigh", ("low", "high"), "high", "effort xhigh fitted to the model: high"),
        ("low", ("low", "high"), "low", "effort low"),
        ("minimal", ("low", "high"), "low", "effort minimal fitted to the model: low"),
        ("high", None, "high", "effort high"),
        ("high", (), None, "effort left alone: the model does not take it"),
    ],
)
def test_an_effort_is_fitted_to_the_model(effort, taken, sent, note):
    """One that it does not take becomes the nearest, which the record says; a model without any keeps its own."""
    splice, notes = Splice(b'{"model":"m"}', peek(b'{"model":"m"}')), []
    call = calls.call("/v1/chat/completions")
    change_body(splice, [Edits(effort=effort)], call=call, vendor="", notes=notes, taken=taken)
    assert json.loads(b"".join(splice.parts())).get("reasoning_effort") == sent
    assert notes == [note]


def test_thinking_is_turned_off_whatever_efforts_a_model_takes():
    """Messages has fields of its own for it."""
    body = b'{"model":"claude-opus-4-8"}'
    splice, notes = Splice(body, peek(body)), []
    call = calls.call("/v1/messages")
    change_body(splice, [Edits(effort="none")], call=call, vendor="", notes=notes, taken=("low", "high"))
    assert json.loads(b"".join(splice.parts()))["thinking"] == {"type": "disabled"}
    assert notes == ["effort none"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            {"generation_config": {"temperature": 0}},
            {"generation_config": {"temperature": 0, "thinkingConfig": {"thinkingLevel": "LOW"}, "maxOutputTokens": 9}},
        ),
        (
            {"generation_config": {"thinking_config": {"thinking_level": "HIGH"}, "max_output_tokens": 20}},
            {"generation_config": {"thinking_config": {"thinking_level": "LOW"}, "max_output_tokens": 9}},
        ),
        ({}, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}, "maxOutputTokens": 9}}),
    ],
)
def test_gemini_fields_are_changed_as_the_body_spells_them(body, wanted):
    """A body in snake_case keeps one field of each name: with both Google's servers decide which of them counts."""
    found, _ = one(json.dumps(body).encode(), "/v1beta/models/m:generateContent", effort="low", max_tokens=9)
    assert json.loads(found) == wanted
