"""The calls of answers in all three protocols, whole and streamed."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.wire.raw import sse
from router.wire.raw.json.places import apply_splices
from router.wire.tool_context.arguments import fill_arguments
from router.wire.tool_context.calls import ToolContext
from router.wire.tool_context.tap import make_filler

from ...growth import grows_evenly
from .call_streams import (
    NOW,
    PROTOCOLS,
    SESSION,
    STREAMS,
    VALUES,
    cut,
    fill_stream,
    fill_whole,
    read_stream,
    read_whole,
    whole_answer,
)

FULL = {"session_id": SESSION, "timestamp": NOW}
# Arguments -> what they become.
GOLDEN = {
    "": FULL,
    "{}": FULL,
    " { } ": FULL,
    '{"id": 7}': {"id": 7, **FULL},
    '{"id": 7, "session_id": ""}': {"id": 7, **FULL},
    '{"session_id": null, "id": 7}': {"id": 7, **FULL},
    '{"session_id":"mine","timestamp":"then"}': {"session_id": "mine", "timestamp": "then"},
    '{"session_id":0,"timestamp":[]}': {"session_id": 0, "timestamp": []},
    '{"deep":{"session_id":"","x":["}"]}}': {"deep": {"session_id": "", "x": ["}"]}, **FULL},
    '{"session\\u005fid":"","é😀":"\\"}"}': {"é😀": '"}', **FULL},
    '{"session_id":"","session_id":"mine"}': {"session_id": "mine", "timestamp": NOW},
    '{"session_id":"mine","session_id":""}': {"session_id": "", "timestamp": NOW},
}
ARGUMENTS = st.one_of(
    st.sampled_from([*GOLDEN]),
    st.dictionaries(
        st.sampled_from(["session_id", "timestamp", "a", "é", 'x"\\']),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "v", '"', "\\", "é😀"]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            max_leaves=5,
        ),
    ).flatmap(lambda value: st.booleans().map(lambda ascii_only: json.dumps(value, ensure_ascii=ascii_only))),
)
CUTS = st.lists(st.integers(0, 80), max_size=8)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("arguments", GOLDEN)
def test_what_arguments_become(protocol, arguments):
    """Fields that are absent, empty or null are filled, no other value is touched; the same whole, in one piece and
    letter by letter, wherever the answer says the arguments."""
    wanted = GOLDEN[arguments]
    body, notes = fill_whole(protocol, whole_answer(protocol, [("get_order", arguments)]))
    [text] = read_whole(protocol, body)
    assert json.loads(text) == wanted
    for places in ([], range(len(arguments))):
        events = STREAMS[protocol]([("get_order", cut(arguments, places))])
        out, streamed = fill_stream(protocol, events, at_once=1)
        pieces, wholes = read_stream(protocol, out)
        said = [*wholes.values(), *([pieces[0]] if arguments.strip() or protocol != "responses" else [])]
        assert said
        assert all(json.loads(one) == wanted for one in said), said
        assert streamed == notes


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(
    first=ARGUMENTS,
    second=ARGUMENTS,
    places=CUTS,
    others=CUTS,
    at_once=st.integers(1, 9),
    name=st.sampled_from(["get_order", "look"]),
)
@example(
    first='{"session_id":null}',
    second='{"timestamp":null}',
    places=[15, 16],
    others=[14, 15, 16],
    at_once=1,
    name="get_order",
)
def test_any_split_of_the_stream(protocol, first, second, places, others, at_once, name):
    """However the arguments of calls that come in turns are cut, a client puts the same together as from the whole
    answer; all else in the stream stays to the byte, and a call of another tool too."""
    calls = [("get_order", first), (name, second)]
    events = STREAMS[protocol]([("get_order", cut(first, places)), (name, cut(second, others))])
    out, _ = fill_stream(protocol, events, at_once=at_once)
    wanted = [_fill(tool, text) for tool, text in calls]
    pieces, wholes = read_stream(protocol, out)
    for at, text in enumerate(wanted):
        blank = protocol == "responses" and not calls[at][1].strip()
        assert pieces.get(at, "") == (calls[at][1] if blank else text)
    assert all(text == wanted[at] for (at, _), text in wholes.items())
    assert _without_arguments(protocol, out) == _without_arguments(protocol, b"".join(events))


def _fill(tool, text):
    return apply_splices(text, fill_arguments(text, VALUES.get(("", tool), {}))[0]) if tool == "get_order" else text


def _without_arguments(protocol, data):
    """The bytes without what they say of arguments, event by event."""
    member = b'("(?:arguments|partial_json%b)": )"(?:[^"\\\\]|\\\\.)*"' % (
        b"|delta" if protocol == "responses" else b""
    )
    events = re.sub(member, rb"\1", data).split(b"\n\n")
    # For a call without any, an event is put there.
    return [one for one in events if b'"partial_json":"' not in one and b'{"arguments":"' not in one]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_filled_stays_to_the_byte(protocol):
    """Events of calls that need nothing, and those of an answer without calls of a known tool, are not written anew."""
    full = '{"session_id": "\\u00e9" , "timestamp":"x"}'
    for calls in ([("get_order", cut(full, [5, 20]))], [("look", ["{}"])], []):
        events = STREAMS[protocol](calls)
        assert fill_stream(protocol, events, at_once=1) == (b"".join(events), [])
        data = b"".join(events).replace(b"\n", b"\r\n")
        assert fill_stream(protocol, [data])[0] == data


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_line_ends_and_lines_of_an_event_that_is_filled(protocol):
    """An event keeps its line ends; one whose data came in several lines is still one event with the same data."""
    events = STREAMS[protocol]([("get_order", ["{}"])])
    data = b"".join(events)
    wanted = read_stream(protocol, fill_stream(protocol, [data])[0])
    crlf = fill_stream(protocol, [data.replace(b"\n", b"\r\n")])[0]
    assert crlf.count(b"\r\n") == crlf.count(b"\n") == data.count(b"\n")
    lines = fill_stream(protocol, [data.replace(b" ,", b" ,\ndata: ")])[0]
    assert read_stream(protocol, crlf) == read_stream(protocol, lines) == wanted


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_cut_within_null_gives_out_what_waited(protocol):
    """Where the stream ends before it is known whether a field is null, its events come as they were; until then all
    that follows waits, and nothing else does."""
    events = STREAMS[protocol]([("get_order", ['{"id":', '7,"session_id":n', "ul", 'l,"timestamp":"t"}'])])
    at = next(at for at, one in enumerate(events) if b":n" in one)
    filler = make_filler(protocol, ToolContext(VALUES))
    assert [filler.fill_events(one) for one in events[:at]] == events[:at]
    assert [filler.fill_events(one) for one in (events[at], b": ping\n\n", events[at + 1])] == [b"", b"", b""]
    assert filler.release() == events[at] + b": ping\n\n" + events[at + 1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_word_that_only_begins_as_null_stays(protocol):
    """What turns out to be no JSON comes as it was, and the call is left alone from there on."""
    events = STREAMS[protocol]([("get_order", ['{"session_id":nu', "mb", "}"])])
    assert fill_stream(protocol, events, at_once=1) == (b"".join(events), [])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_much_that_waits_for_null_is_let_go(protocol):
    """An upstream that sends a megabyte between two letters of null gets no more held."""
    events = STREAMS[protocol]([("get_order", ['{"session_id":n', "ull}"])])
    at = next(at for at, one in enumerate(events) if b":n" in one)
    filler = make_filler(protocol, ToolContext(VALUES))
    comment = b": " + b"x" * (1 << 19) + b"\n\n"
    out = [filler.fill_events(one) for one in (*events[: at + 1], comment, comment, events[at + 1])]
    assert out[at : at + 3] == [b"", b"", events[at] + 2 * comment]
    assert out[-1].startswith(events[at + 1][:40])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("broken", ["[1]", '{"a":1,}', '{"a" 1}', "{,", '{"a":}', "{'a':1}", "nul", '"x"', '{"a":1'])
def test_arguments_that_are_no_object_stay(protocol, broken):
    """What is no JSON object, or ends early, is passed on as it came."""
    events = STREAMS[protocol]([("get_order", cut(broken, [2]))])
    assert fill_stream(protocol, events, at_once=1) == (b"".join(events), [])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "data", [b"{", b'{"type":"tool_use"', b"[]", b'{"choices":[{"delta":7,"index":"x"}]}', b"\xff"]
)
def test_events_that_are_no_answer_pass(protocol, data):
    """While a call is under way, events that are broken or mean nothing here pass as they come."""
    events = STREAMS[protocol]([("get_order", ['{"a":1', "}"])])
    odd = sse.frame(data)
    out, _ = fill_stream(protocol, [*events[:2], odd, *events[2:]], at_once=1)
    assert odd in out
    assert read_stream(protocol, out.replace(odd, b"")) == read_stream(protocol, fill_stream(protocol, events)[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bytes_that_are_no_text_are_kept(protocol):
    """In an event that is filled, too."""
    [name] = [b"created", b"id", b"call_id"][PROTOCOLS.index(protocol) :][:1]
    events = [one.replace(b'"%b"' % name, b'"\xff\xfe"') for one in STREAMS[protocol]([("get_order", ["{}"])])]
    out, notes = fill_stream(protocol, events)
    assert (out.count(b"\xff\xfe") >= b"".join(events).count(b"\xff\xfe"), len(notes)) == (True, 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_that_breaks_off_behind_a_call(protocol):
    """The call is filled and counted, and the rest is as broken as it was."""
    body = whole_answer(protocol, [("get_order", "{}"), ("get_order", "{}")])
    cut_off = body[: body.rindex(b"get_order") + 4]
    out, notes = fill_whole(protocol, cut_off)
    assert (out.count(b"timestamp"), out[-4:]) == (len(notes), cut_off[-4:])


def test_notes_name_fields_and_no_values():
    """What was filled, by tool; many tools are counted."""
    calls = [("get_order", ["{}"]), ("get_order", ['{"timestamp":"x"}'])]
    assert fill_stream("messages", STREAMS["messages"](calls[:1]))[1] == [
        "context: 2 fields filled in get_order (session_id, timestamp)"
    ]
    assert fill_stream("responses", STREAMS["responses"](calls))[1] == [
        "context: 3 fields filled in 2 calls of get_order (session_id, timestamp)"
    ]
    values = {("", f"tool{at}"): {"user_id": "u"} for at in range(10)}
    notes = fill_stream("chat", STREAMS["chat"]([(name, ["{}"]) for _, name in values]), values)[1]
    assert notes[0] == "context: 1 field filled in tool0 (user_id)"
    assert (len(notes), notes[-1]) == (9, "context: fields filled in 2 more tools")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "filling",
    ['"a":[],', '"a":"\\"",', '"a":{"b":["}"]},', '"session\\u005fid":"x",', "    ", '"b":1.5e3,', "[[[["],
    ids=["lists", "escapes", "objects", "again", "space", "numbers", "depth"],
)
def test_twice_the_arguments_take_twice_the_time(protocol, filling):
    """Also where they are made to be slow to read; open arguments of megabytes are one piece after the other."""

    def make(size):
        text = '{"z":[' + filling * size if filling == "[[[[" else "{" + filling * size + '"c":1}'
        return STREAMS[protocol]([("get_order", cut(text, range(0, len(text), 4096)))])

    grows_evenly(make, lambda events: fill_stream(protocol, events, at_once=1), 4000)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_four_megabytes_of_open_arguments(protocol):
    """They pass piece by piece as they came, however many brackets they open, and nothing of them is kept."""
    text = '{"a":' + "[" * (4 << 20)
    events = STREAMS[protocol]([("get_order", cut(text, range(0, len(text), 1 << 16)))])
    open_part = [one for one in events if b"[[[" in one][: len(cut(text, range(0, len(text), 1 << 16)))]
    filler = make_filler(protocol, ToolContext(VALUES))
    head = events[: events.index(open_part[0])]
    assert [filler.fill_events(one) for one in (*head, *open_part[:64])] == [*head, *open_part[:64]]
    assert filler.release() == b""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("filling", ['"a":[],', '"a":"\\"",', '"a":{"b":["}"]},', "[[[["])
def test_twice_a_whole_answer_takes_twice_the_time(protocol, filling):
    """Its arguments are read once for each place that they are looked for in, however deep they are."""

    def make(size):
        closed = '"c":1}' if filling != "[[[[" else '"c":' + "[" * size + "]" * size + "}"
        return whole_answer(protocol, [("get_order", "{" + (filling * size if filling != "[[[[" else "") + closed)])

    grows_evenly(make, lambda body: fill_whole(protocol, body), 8000)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_many_calls_take_as_long_as_they_are_many(protocol):
    """Each call of a stream is found at once, however many others are under way."""

    def make(size):
        return STREAMS[protocol]([("get_order", ['{"a":', "1}"])] * size)

    grows_evenly(make, lambda events: fill_stream(protocol, events, at_once=1), 300)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_much_that_waits_takes_as_long_as_it_is_much(protocol):
    """Also where many small events wait, and many calls among them wait and are decided."""

    def make(size):
        calls = [("get_order", ['{"session_id":n', "ull}"]), *[("get_order", ['{"timestamp":n', "ull}"])] * size]
        events = STREAMS[protocol](calls)
        later = next(at for at, one in enumerate(events) if b'"ull}' in one)
        return [*events[:later], *[b":\n\n"] * (20 * size), *events[later + 1 :], events[later]]

    grows_evenly(make, lambda events: fill_stream(protocol, events, at_once=1), 150)
