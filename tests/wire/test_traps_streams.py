"""Known pitfalls of translating streams; each test is named after their numbers (test_traps_listed.py)."""

import json

import pytest

from router.wire import translate

from .translations import DONE, blocks, call, chunk, context, event, events, reason, said_arguments, streamed, use


def test_53_55_reasoning_is_read_once():
    """Of two fields with the same text one counts; Mistral's parts of parts are read."""
    twice = chunk({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}], "content": ""})
    assert blocks(streamed([twice + chunk({}, "stop") + DONE], "chat"))[0]["thinking"] == "hm"
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}]
    found = blocks(streamed([chunk({"content": parts}) + chunk({}, "stop") + DONE], "chat"))
    assert [one["type"] for one in found] == ["thinking", "text"]


def test_53_a_signed_thought_repeats_its_pieces():
    """A signed thought that a fairlead upstream sends in pieces and then whole is read once."""
    data = b""
    for first, second in (("h", "m"), ("so", " so")):
        whole = {"type": "reasoning.text", "text": first + second, "signature": "c2ln"}
        data += chunk({"reasoning_content": first}) + chunk({"reasoning_content": second})
        data += chunk({"reasoning_details": [whole]}) + chunk({"content": "text"})
    found = blocks(streamed([data + chunk({}, "stop") + DONE], "chat"))
    assert [one.get("thinking") or one["text"] for one in found] == ["hm", "text", "so so", "text"]


def test_54_reasoning_behind_text_is_a_block_of_its_own():
    """Text, thinking and text again are three blocks."""
    data = chunk({"content": "a"}) + chunk({"reasoning": "b"}) + chunk({"content": "c"}) + chunk({}, "stop") + DONE
    assert [one["type"] for one in blocks(streamed([data], "chat"))] == ["text", "thinking", "text"]


FRAGMENTS = {
    "57 no index": [call(None, "a", "f", '{"x"'), call(None, None, None, ":1}"), call(None, "b", "g", "{}")],
    "58 from 1": [call(1, "a", "f", '{"x":'), call(1, None, None, "1}"), call(5, "b", "g", "{}")],
    "59 same index": [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", "{}")],
    "60 repeated": [
        call(0, "a", "f", '{"x"'),
        call(0, "a", "f", ":1}"),
        call(1, "b", "g", ""),
        call(1, "b", "g", "{}"),
    ],
    "61 late name": [call(0, "a", None, '{"x"'), call(0, None, "f", ":1}"), call(1, "b", "g", "{}")],
    "64 interleaved": [
        call(0, "a", "f", '{"x"'),
        call(1, "b", "g", "{"),
        call(0, None, None, ":1}"),
        call(1, None, None, "}"),
    ],
}


@pytest.mark.parametrize("deltas", FRAGMENTS.values(), ids=FRAGMENTS)
def test_57_58_59_60_61_64_calls_in_pieces(deltas):
    """Calls come out whole, once, and one after the other, for every way that servers number and repeat them."""
    data = b"".join(map(chunk, deltas)) + chunk({}, "tool_calls") + DONE
    found = blocks(streamed([data], "chat"))
    assert [(one["id"], one["name"], json.loads(one["json"])) for one in found] == [
        ("a", "f", {"x": 1}),
        ("b", "g", {}),
    ]


def test_62_63_everything_in_one_chunk():
    """Content beside a finish reason counts, and the first chunk's too."""
    delta = {"role": "assistant", "content": "Hi", **call(0, "a", "f", '{"x":1}')}
    found = streamed([chunk(delta, "tool_calls") + DONE], "chat")
    assert [one["type"] for one in blocks(found)] == ["text", "tool_use"]


def test_65_arguments_end_when_the_stream_does():
    """Arguments that parse early are not complete yet; arguments that never parse are an error, not a call."""
    data = chunk(call(0, "a", "f", '{"x":1')) + chunk({}, "tool_calls") + DONE
    made = streamed([data], "chat")
    assert events(made)[-1]["type"] == "error"
    assert b"message_stop" not in made
    cut = streamed([chunk(call(0, "a", "f", '{"x":1')) + chunk({}, "length") + DONE], "chat")
    assert reason(cut)["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("finish", "deltas", "expected"),
    [
        ("stop", [{"content": "x"}], "end_turn"),
        ("stop", [call(0, "a", "f", "{}")], "tool_use"),
        ("tool_calls", [{"content": "x"}], "end_turn"),
        ("function_call", [{"function_call": {"name": "f", "arguments": "{}"}}], "tool_use"),
        ("length", [call(0, "a", "f", "{}")], "max_tokens"),
        ("model_length", [{"content": "x"}], "model_context_window_exceeded"),
        ("content_filter", [{"content": "x"}], "refusal"),
        ("stop", [{"refusal": "no"}], "refusal"),
        ("eos", [{"content": "x"}], "end_turn"),
    ],
)
def test_66_94_finish_reasons(finish, deltas, expected):
    """Each finish reason has its stop reason; calls in the answer overrule it."""
    made = streamed([b"".join(map(chunk, deltas)) + chunk({}, finish) + DONE], "chat")
    assert reason(made)["stop_reason"] == expected


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("future", "stop"),
    ],
)
def test_87_stop_reasons(stop, expected):
    """Each stop reason has its finish reason; unknown ones end the answer and are named."""
    ctx = context()
    data = {"id": "m", "content": [], "stop_reason": stop, "usage": {}}
    made = translate.answer(json.dumps(data).encode(), "messages", "chat", ctx, stream=False).body
    assert json.loads(made)["choices"][0]["finish_reason"] == expected
    assert bool(ctx.losses) is (stop in ("pause_turn", "future"))


@pytest.mark.parametrize("data", [chunk({"content": "x"}), chunk({"role": "assistant", "content": ""}) + DONE, DONE])
def test_67_no_finish_reason(data):
    """A stream without one is cut short, and never looks finished: at the end of its body, and where it said nothing.
    The mark of the end behind content is an end."""
    assert b"message_stop" not in streamed([data], "chat")
    assert b"message_stop" in streamed([chunk({"content": "x"}) + DONE], "chat")


def test_68_69_70_ends_and_usage():
    """The first finish reason counts; usage is read at any place; without one it is 0."""
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
    behind = b'data: {"choices":[],"usage":' + json.dumps(usage).encode() + b"}\n\n"
    for data in (
        chunk({"content": "x"}) + chunk({}, "length") + chunk({}, "stop") + behind + DONE,
        chunk({"content": "x"}, usage=None) + chunk({}, "length", usage=usage) + DONE,
        chunk({"content": "x"}, usage=usage) + chunk({}, "length") + DONE,
    ):
        made = streamed([data], "chat")
        assert reason(made)["stop_reason"] == "max_tokens"
        found = next(one["usage"] for one in events(made) if one["type"] == "message_delta")
        assert (found["input_tokens"], found["cache_read_input_tokens"], found["output_tokens"]) == (4, 3, 2)
    made = streamed([chunk({"content": "x"}) + chunk({}, "stop") + DONE], "chat")
    assert next(one["usage"] for one in events(made) if one["type"] == "message_delta")["input_tokens"] == 0


def test_71_72_cached_tokens_count_once():
    """Messages counts cached tokens beside the input, Chat within it; counts of message_delta replace earlier ones."""
    data = (
        event("message_start", message={"id": "m", "usage": {"input_tokens": 100, "output_tokens": 1}})
        + event(
            "message_delta",
            delta={"stop_reason": "end_turn"},
            usage={
                "input_tokens": 5,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 3,
                "output_tokens": 2,
            },
        )
        + event("message_stop")
    )
    usage = events(streamed([data], "messages"))[-1]["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (28, 30)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 20, "cache_write_tokens": 3}


def test_73_reasoning_beside_the_output():
    """Reasoning is added to the output where the total shows that it was left out."""
    usage = {
        "prompt_tokens": 291,
        "completion_tokens": 26,
        "total_tokens": 513,
        "completion_tokens_details": {"reasoning_tokens": 196},
    }
    made = streamed([chunk({"content": "x"}) + chunk({}, "stop", usage=usage) + DONE], "chat")
    assert next(one["usage"] for one in events(made) if one["type"] == "message_delta")["output_tokens"] == 222


def test_79_92_chunks_that_say_nothing():
    """Azure's first chunk, null deltas, obfuscation and unknown keys are passed over."""
    data = (
        b'data: {"id":"","choices":[],"prompt_filter_results":[]}\n\n'
        b'data: {"id":"c","choices":[{"index":0,"delta":null}],"obfuscation":"xx"}\n\n'
        b'data: {"id":"c","choices":null}\n\n'
    )
    made = streamed([data + chunk({"content": "x", "new": 1}) + chunk({}, "stop") + DONE], "chat")
    assert [one["text"] for one in blocks(made)] == ["x"]


def test_80_a_second_answer_in_the_stream():
    """A repeated start is ignored; the start of another answer is an error."""
    start = event("message_start", message={"id": "m", "usage": {}})
    text = event("content_block_start", index=0, content_block={"type": "text", "text": "x"})
    end = event("message_delta", delta={"stop_reason": "end_turn"}, usage={}) + event("message_stop")
    assert streamed([start + start + text + end], "messages").endswith(DONE)
    made = streamed([start + text + event("message_start", message={"id": "n"}) + end], "messages")
    assert "error" in events(made)[-1]


def test_83_no_empty_blocks():
    """An answer without content has no blocks."""
    made = streamed([chunk({"role": "assistant", "content": ""}) + chunk({}, "stop") + DONE], "chat")
    assert blocks(made) == []
    assert reason(made)["stop_reason"] == "end_turn"


def test_86_tools_of_the_server_do_not_leak_into_calls():
    """Arguments of the server's tools are not added to the client's calls."""
    made = streamed(
        [
            event("message_start", message={"id": "m", "usage": {}})
            + event("content_block_start", index=0, content_block={"type": "server_tool_use", "id": "s", "name": "w"})
            + event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{"q":1}'})
            + event("content_block_stop", index=0)
            + event("content_block_start", index=1, content_block=use())
            + event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"a":2}'})
            + event("content_block_stop", index=1)
            + event("message_delta", delta={"stop_reason": "tool_use"}, usage={})
            + event("message_stop")
        ],
        "messages",
    )
    assert said_arguments(made) == {0: '{"a":2}'}


def test_93_the_stop_sequence_that_was_met():
    """The stop sequence that was met is read from vLLM's choice, and a Chat caller gets it there too."""
    data = {"choices": [{"delta": {}, "index": 0, "finish_reason": "stop", "stop_reason": "END"}]}
    made = streamed([chunk({"content": "x"}) + b"data: " + json.dumps(data).encode() + b"\n\n" + DONE], "chat")
    assert reason(made) == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


@pytest.mark.parametrize(
    "data",
    [
        b": OPENROUTER PROCESSING\n\n" + chunk({"content": "a"}) + chunk({}, "stop") + DONE,
        (chunk({"content": "a"}) + chunk({}, "stop") + DONE).replace(b"\n", b"\r\n"),
        (chunk({"content": "a"}) + chunk({}, "stop") + DONE).replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + chunk({"content": "a"}) + chunk({}, "stop") + DONE,
        (chunk({"content": "a"}) + chunk({}, "stop") + DONE).replace(b"data: ", b"data:"),
        b'data: {"choices": [{"delta":\ndata:  {"content": "a"}}]}\n\n' + chunk({}, "stop") + DONE,
        b"retry: 5\nid: 1\n" + chunk({"content": "a"}) + chunk({}, "stop") + DONE,
    ],
)
def test_78_forms_of_events(data):
    """Comments, line ends of each kind, a byte order mark, no space and several data lines are read."""
    assert [block["text"] for block in blocks(streamed([data], "chat"))] == ["a"]


def test_81_82_unknown_events_and_deltas_are_no_errors():
    """Unknown events are ignored, and a delta of another type than its block's opens a block of its own."""
    data = (
        event("message_start", message={"id": "m", "usage": {}})
        + event("brand_new", x=1)
        + event("content_block_start", index=0, content_block={"type": "brand_new_block"})
        + event("content_block_delta", index=0, delta={"type": "brand_new_delta", "x": 1})
        + event("content_block_stop", index=0)
        + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": "{}"})
        + event("content_block_delta", index=1, delta={"type": "text_delta", "text": "a"})
        + event("content_block_stop", index=1)
        + event("message_delta", delta={"stop_reason": "brand_new_reason"}, usage={})
        + event("message_stop")
    )
    found = events(streamed([data], "messages"))
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in found if one["choices"]) == "a"
    assert [one["choices"][0]["finish_reason"] for one in found if one["choices"]][-1] == "stop"
    mixed = chunk({"content": "a", "reasoning": "b", **call(0, "c", "f", "{}")}) + chunk({"content": "d"})
    kinds = [one["type"] for one in blocks(streamed([mixed + chunk({}, "tool_calls") + DONE], "chat"))]
    assert kinds == ["thinking", "text", "tool_use", "text"]


def test_84_one_block_is_open_at_a_time():
    """Each block is closed before the next is opened, for any order of the upstream's events."""
    data = b"".join(
        (
            chunk({"content": "a"}),
            chunk(call(0, "a", "f", '{"x"')),
            chunk(call(1, "b", "g", "{")),
            chunk(call(0, None, None, ":1}")),
            chunk({"content": "b"}),
            chunk(call(1, None, None, "}")),
            chunk({}, "tool_calls"),
            DONE,
        )
    )
    open_now = set()
    for one in events(streamed([data], "chat")):
        if one["type"] == "content_block_start":
            assert not open_now
            open_now.add(one["index"])
        elif one["type"] == "content_block_delta":
            assert open_now == {one["index"]}
        elif one["type"] == "content_block_stop":
            open_now.remove(one["index"])
    assert not open_now


def test_85_streams_do_not_share_state():
    """Two streams read alternately yield what each yields alone."""
    first = [chunk({"content": "a"}), chunk(call(0, "a", "f", "{")), chunk(call(0, None, None, "}"))]
    second = [chunk({"reasoning": "b"}), chunk({"content": "c"}), chunk(call(0, "b", "g", "{}"))]
    ends = chunk({}, "tool_calls") + DONE
    alone = [streamed([*pieces, ends], "chat") for pieces in (first, second)]
    both = [translate.Stream("chat", "messages", context()) for _ in range(2)]
    out = [b"", b""]
    for pair in zip([*first, ends], [*second, ends], strict=True):
        for at, piece in enumerate(pair):
            out[at] += both[at].feed(piece)
    assert out == alone
