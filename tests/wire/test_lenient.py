"""JSON that SDKs take beside JSON itself, in streams, whole answers and requests; and what stays an error."""

import json

import pytest

from router.errors import BadRequest
from router.wire import protocols, translate
from router.wire.raw.json.json_values import as_raw_object

from .translations import DONE, OTHER, call, chunk, claude, context, event, events, gpt, streamed, user

HIGH, LOW = b"\\ud83d", b"\\ude00"
EMOJI, LOST = "\U0001f600", "\ufffd"
PAIRS = [("chat", "messages"), ("chat", "responses"), ("messages", "chat"), ("responses", "messages")]


def text_events(protocol, *texts):
    """The pieces of a text in a protocol's stream; texts: JSON strings without their quotes."""
    if protocol == "chat":
        return [b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text for text in texts]
    if protocol == "messages":
        return [
            b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n' % text
            for text in texts
        ]
    return [
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%b"}\n\n' % text
        for text in texts
    ]


BEGIN = {
    "chat": b"",
    "messages": event("message_start", message={"id": "m", "usage": {"input_tokens": 1}})
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    "responses": event("response.created", response={"id": "r"}),
}
END = {
    "chat": chunk({}, "stop") + DONE,
    "messages": event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
    + event("message_stop"),
    "responses": event("response.completed", response={"id": "r", "status": "completed", "output": []}),
}


def said(made, target):
    """The text of a stream."""
    found = []
    for one in events(made):
        if target == "chat":
            found += [choice["delta"].get("content") or "" for choice in one.get("choices", ())]
        elif target == "messages":
            found.append(one.get("delta", {}).get("text", ""))
        elif target == "gemini":
            found += [part.get("text", "") for entry in one.get("candidates", ()) for part in entry["content"]["parts"]]
        elif one.get("type") == "response.output_text.delta":
            found.append(one["delta"])
    return "".join(found)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize(
    ("texts", "expected", "losses"),
    [
        ([b"a" + HIGH, LOW + b"b"], f"a{EMOJI}b", []),
        ([HIGH, LOW], EMOJI, []),
        ([b"a" + HIGH, b"b"], f"a{LOST}b", ["half a character"]),
        ([b"a" + HIGH], f"a{LOST}", ["half a character"]),
        ([LOW + b"a"], f"{LOST}a", ["half a character"]),
        ([b"a" + HIGH + b"b"], f"a{LOST}b", ["half a character"]),
        ([b"x" + HIGH, LOW + HIGH, LOW], f"x{EMOJI}{EMOJI}", []),
        ([b"tab\x09 and bell\x07"], "tab\t and bell\x07", []),
    ],
)
def test_text_that_is_cut_within_a_character(source, target, texts, expected, losses):
    """The halves are joined over two pieces; one that stays alone becomes U+FFFD and a named loss, and all goes on."""
    ctx = context()
    made = streamed([BEGIN[source] + b"".join(text_events(source, *texts)) + END[source]], source, ctx, target)
    assert said(made, target) == expected
    assert [loss.path for loss in ctx.losses if loss.path != "usage"] == losses
    assert b'"error"' not in made.replace(b'"error":null', b"")


def test_thinking_and_text_are_cut_apart():
    """A half at the end of the reasoning is not joined to the text behind it."""
    made = streamed(
        [
            b'data: {"choices":[{"delta":{"reasoning_content":"t\\ud83d"}}]}\n\n'
            b'data: {"choices":[{"delta":{"content":"\\ude00x"}}]}\n\n' + END["chat"]
        ],
        "chat",
    )
    deltas = [one["delta"] for one in events(made) if one["type"] == "content_block_delta"]
    assert "".join(one.get("thinking", "") for one in deltas) == f"t{LOST}"
    assert "".join(one.get("text", "") for one in deltas) == f"{LOST}x"


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_arguments_that_are_cut_within_a_character(target):
    """Two calls that are streamed at once each get their own halves back."""

    def piece(index, text):
        return b'data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"function":{"arguments":"%b"}}]}}]}\n\n' % (
            index,
            text,
        )

    data = (
        chunk(call(0, "c1", "look", ""))
        + chunk(call(1, "c2", "look", ""))
        + piece(0, b'{\\"a\\":\\"' + HIGH)
        + piece(1, b'{\\"a\\":\\"1' + HIGH)
        + piece(0, LOW + b'\\"}')
        + piece(1, LOW + b'\\"}')
    )
    made = streamed([data + chunk({}, "tool_calls") + DONE], "chat", target=target)
    answer = translate.Stream(target, "chat", context()).all_events(made)
    fragments = {}
    for one in answer:
        if type(one).__name__ == "CallDelta":
            fragments[one.index] = fragments.get(one.index, "") + one.fragment
    assert [json.loads(text) for text in fragments.values()] == [{"a": EMOJI}, {"a": f"1{EMOJI}"}]


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_half_a_character_inside_arguments_is_no_broken_call(target):
    """The arguments' own JSON holds the escape of half a pair: SDKs read it, so the call is whole."""
    data = chunk(call(0, "c1", "look", '{"a":"\\ud83d"}')) + chunk({}, "tool_calls") + DONE
    made = streamed([data], "chat", target=target)
    assert b'"error"' not in made.replace(b'"error":null', b"")
    assert bytes(as_raw_object('{"a":"\\ud83d"}')) == '{"a":"\ufffd"}'.encode()
    assert as_raw_object('{"a":NaN}') is None
    assert as_raw_object('{"a":"\x07"}') is None


@pytest.mark.parametrize(
    "odd",
    [
        b"data: null\n\n",
        b'data: {"choices":[{"delta":{"content":"x"},"logprobs":{"content":[{"logprob":-Infinity,"b":NaN}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"},"id":"\xff\xfe"}]}\n\n',
    ],
)
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_events_that_only_sdks_take(odd, target):
    """They end no stream."""
    made = streamed([chunk({"content": "a"}) + odd + chunk({"content": "z"}) + END["chat"]], "chat", target=target)
    assert said(made, target).replace("x", "") == "az"
    assert b'"error"' not in made.replace(b'"error":null', b"")


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {'a':1}\n\n",
        b'data: {"choices":[{"delta":{"content":"x"}}]} trailing\n\n',
        b'data: {"choices":[],}\n\n',
        b'data: {"choices":[{"delta"\n\n',
        b"data: [1]\n\n",
        b"data: 7\n\n",
        b"data: None\n\n",
        b"data: <html>\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_garbage_does_not_pass(garbage, target):
    """What no SDK reads ends the stream with an error that says so, and nothing follows it."""
    made = streamed([chunk({"content": "a"}) + garbage + chunk({"content": "z"}) + END["chat"]], "chat", target=target)
    assert said(made, target) == "a"
    assert b"an event that is no JSON object" in made


def answered(body, source, target):
    ctx = context()
    made = translate.answer(body, source, target, ctx, stream=False)
    return (None if made is None else made.body.decode()), [loss.path for loss in ctx.losses]


def test_whole_answers_that_only_sdks_take():
    """Half a character becomes U+FFFD and NaN null, and both are named as losses of the answer."""
    body = (
        b'{"id":"c","choices":[{"message":{"role":"assistant","content":"a\\ud83d","x":NaN},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    )
    for target in ("messages", "responses"):
        made, losses = answered(body, "chat", target)
        assert f"a{LOST}" in made
        assert losses[:2] == ["choices[0].message.content", "choices[0].message.x"]


@pytest.mark.parametrize("body", [b"{'a':1}", b'{"choices":[]', b"", b"[]", b'{"choices":[]} x'])
def test_a_whole_answer_of_garbage_is_none(body):
    """It is no answer of the protocol."""
    assert answered(body, "chat", "messages") == (None, [])


@pytest.mark.parametrize("source", OTHER)
def test_a_request_with_half_a_character(source):
    """Clients that cut text within an emoji send its half as an escape. Anthropic's API would refuse it, so U+FFFD
    goes, and the field is named."""
    asked = {"messages": claude, "chat": gpt}[source](user("a\ud83d"))
    ctx = context()
    sent = translate.request(json.dumps(asked).encode(), source, OTHER[source], ctx)
    assert f"a{LOST}".encode() in sent.body
    assert next(loss.path for loss in ctx.losses) == "messages[0].content"


def test_a_request_with_half_a_character_under_strict():
    """It is a loss like others: a caller that wants none is refused, with the field's name."""
    with pytest.raises(BadRequest, match=r"messages\[0\]\.content"):
        translate.request(json.dumps(gpt(user("\ude00"))).encode(), "chat", "messages", context(policy="strict"))


@pytest.mark.parametrize("target", [name for name in protocols.BY_NAME if name != "chat"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'error: {"code":500,"message":"out of memory","type":"server_error"}', "out of memory"),
        (b'error: {"error":{"message":"out of memory"}}', "out of memory"),
        (b'event: error\ndata: {"message":"out of memory"}', "out of memory"),
        (b"error: the model crashed", "the model crashed"),
    ],
)
def test_an_error_line_is_the_error(target, line, message):
    """llama.cpp and GPUStack end a broken stream so: the caller gets that message, and nothing behind it."""
    made = streamed([chunk({"content": "a"}) + line + b"\n\n"], "chat", target=target)
    assert said(made, target) == "a"
    assert message.encode() in made
    if target == "gemini":  # as an event and by itself
        assert made.count(b'data: {"error":') == made.count(b'\n{"error":') == 1
    else:
        assert made.count(b"event: error") == 1
    assert b"before its last event" not in made


def test_the_samples_say_what_they_say():
    """The helper that reads texts sees them in each protocol."""
    for source, target in PAIRS:
        made = streamed([BEGIN[source] + b"".join(text_events(source, b"hi")) + END[source]], source, target=target)
        assert said(made, target) == "hi"


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_the_text_of_a_custom_call_that_is_cut_within_a_character(target):
    """Its halves stand beside each other as escapes in the arguments, where readers of JSON join them."""

    def piece(text):
        return (
            b'data: {"type":"response.custom_tool_call_input.delta","output_index":0,"item_id":"i","delta":"%b"}\n\n'
            % text
        )

    item = {"id": "i", "type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": ""}
    data = (
        event("response.created", response={"id": "r"})
        + event("response.output_item.added", output_index=0, item=item)
        + piece(b"a" + HIGH)
        + piece(LOW + b"b")
        + event("response.output_item.done", output_index=0, item={**item, "input": f"a{EMOJI}b"})
        + event("response.completed", response={"id": "r", "status": "completed", "output": []})
    )
    made = streamed([data], "responses", target=target)
    fragments = [
        one.fragment
        for one in translate.Stream(target, OTHER[target], context()).all_events(made)
        if type(one).__name__ == "CallDelta"
    ]
    assert json.loads("".join(fragments)) == {"input": f"a{EMOJI}b"}
