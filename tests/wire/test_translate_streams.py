"""A translated stream equals the translated whole answer, for any split of its bytes."""

import json
import os
import random
from pathlib import Path

import pytest

from router.errors import RouterError
from router.ir import Answer
from router.wire import protocols, translate
from router.wire.neutral import assemble

from .translations import DONE, OTHER, call, check_cuts, chunk, context, event, events, streamed

# Recorded streams that are not part of the project; their tests are skipped where they are not there.
FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[3] / "shared" / "fixtures")
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 3}}
CHAT = (
    chunk({"role": "assistant", "content": ""})
    + chunk({"reasoning_content": "Let me "})
    + chunk({"reasoning_content": "see."})
    + chunk({"content": "It is \u00e9"})
    + chunk({"content": "\u2028 so."})
    + chunk(call(0, "c1", "look", ""))
    + chunk(call(0, None, None, '{"a":'))
    + chunk(call(0, None, None, " 1.0}"))
    + chunk(call(1, "c2", "look", "{}"))
    + chunk({}, "tool_calls")
    + b"data: "
    + json.dumps({"id": "c1", "choices": [], "usage": USAGE}).encode()
    + b"\n\n"
    + DONE
)
MESSAGES = (
    event("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 6, "output_tokens": 1}})
    + event("ping")
    + event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
    + event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Let me see."})
    + event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"})
    + event("content_block_stop", index=0)
    + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=1, delta={"type": "text_delta", "text": "It is \u00e9\u2028 so."})
    + event("content_block_stop", index=1)
    + event("content_block_start", index=2, content_block={"type": "tool_use", "id": "t1", "name": "look", "input": {}})
    + event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": ""})
    + event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": '{"a": 1.0}'})
    + event("content_block_stop", index=2)
    + event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 4})
    + event("message_stop")
)
SAMPLES = {"chat": CHAT, "messages": MESSAGES}


def whole(data, protocol):
    """The neutral answer a stream's bytes stand for."""
    ctx = context()
    found = assemble.assemble_answer(translate.Stream(protocol, OTHER[protocol], ctx).all_events(data), ctx)
    assert isinstance(found, Answer), found
    return found


def pieces(data, seed):
    """The bytes in pieces of random sizes."""
    rng, at, out = random.Random(seed), 0, []
    while at < len(data):
        size = rng.choice((1, 2, 3, 7, 60, 500))
        out.append(data[at : at + size])
        at += size
    return out


@pytest.mark.parametrize("source", SAMPLES)
def test_stream_equals_whole(source):
    """The events encoded one by one and the answer encoded at once hold the same."""
    data, target = SAMPLES[source], OTHER[source]
    found = whole(data, source)
    made = whole(streamed([data], source), target)
    at_once = translate.encode_answer(found, target, context(), stream=False)
    back = protocols.BY_NAME[target].codec.decode_answer(json.loads(at_once), context())
    assert [type(block) for block in made.blocks] == [type(block) for block in found.blocks]
    assert (texts(made), calls(made)) == (texts(back), calls(back)) == (texts(found), calls(found))
    assert (made.stop, made.usage) == (back.stop, back.usage)
    assert (made.usage.input, made.usage.output) == (6, 4)


@pytest.mark.parametrize("source", SAMPLES)
def test_every_split(source):
    """The same bytes come out for every split of the input."""
    data = SAMPLES[source]
    wanted = streamed([data], source)
    check_cuts(([data[:at], data[at:]] for at in range(len(data))), source, wanted)


@pytest.mark.parametrize("source", SAMPLES)
@pytest.mark.parametrize("form", ["lf", "crlf", "cr", "comments", "bom", "no space"])
def test_forms_of_lines(source, form):
    """Line ends, comments, a byte order mark and a missing space change nothing, in whole, bytewise or split."""
    data = SAMPLES[source]
    wanted = streamed([data], source)
    made = {
        "lf": data,
        "crlf": data.replace(b"\n", b"\r\n"),
        "cr": data.replace(b"\n", b"\r"),
        "comments": b": hello\n\n" + data.replace(b"\n\n", b"\n\n: OPENROUTER PROCESSING\n\n"),
        "bom": b"\xef\xbb\xbf" + data,
        "no space": data.replace(b"data: ", b"data:"),
    }[form]
    assert streamed([made], source) == wanted
    assert streamed([made[at : at + 1] for at in range(len(made))], source) == wanted
    check_cuts((pieces(made, seed) for seed in range(50)), source, wanted)


@pytest.mark.parametrize("source", SAMPLES)
def test_every_beginning_is_unfinished(source):
    """A stream that is cut anywhere before its end never looks finished."""
    data = SAMPLES[source]
    blocks = data.split(b"\n\n")
    for count in range(len(blocks) - (4 if source == "chat" else 2)):
        made = streamed([b"\n\n".join(blocks[:count]) + b"\n\n"], source)
        assert b"[DONE]" not in made
        assert b"message_stop" not in made
        assert b'"finish_reason":"' not in made


def legal_messages(data):
    """Fail unless the events keep the order that clients of Messages rely on."""
    open_at, index, seen = None, -1, []
    for name, payload in translate.payloads(data):
        one = json.loads(payload)
        kind = one["type"]
        assert name == kind
        seen.append(kind)
        if kind == "content_block_start":
            index += 1
            assert (open_at, one["index"]) == (None, index)
            open_at, block, text = index, one["content_block"]["type"], ""
        elif kind == "content_block_delta":
            assert one["index"] == open_at
            of = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
            # The input of a search that the server made comes in pieces too.
            called = "server_tool_use" if block == "server_tool_use" else "tool_use"
            assert of.get(one["delta"]["type"], called) == block
            text += one["delta"].get("partial_json", "")
        elif kind == "content_block_stop":
            assert not block.endswith("tool_use") or not text or isinstance(json.loads(text), dict)
            open_at = None
    seen = [kind for kind in seen if kind != "ping"]
    assert seen[0] == "message_start"
    assert seen[-2:] == ["message_delta", "message_stop"]
    assert seen.count("message_start") == seen.count("message_delta") == 1


def legal_chat(data):
    """The same for Chat."""
    assert data.endswith(DONE)
    found = events(data)
    assert len({one["id"] for one in found}) == 1
    chunks = [one["choices"][0] for one in found if one["choices"]]
    assert [at for at, one in enumerate(chunks) if one["delta"].get("role")] == [0]
    assert [at for at, one in enumerate(chunks) if one["finish_reason"]] == [len(chunks) - 1]
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]
    begun = -1
    arguments = {}
    for one in chunks:
        for part in one["delta"].get("tool_calls", ()):
            if "id" in part:
                begun += 1
                assert part["index"] == begun
                assert part["function"]["name"]
            arguments[part["index"]] = arguments.get(part["index"], "") + part["function"]["arguments"]
    assert all(isinstance(json.loads(text), dict) for text in arguments.values())


def recorded(folder, *, without=()):
    """Recorded streams, one event a line, as bytes."""
    found = []
    for path in sorted(FIXTURES.glob(f"{folder}/**/*.chunks.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        if not any(word in path.name for word in without) and lines[0].startswith("{"):
            data = b"".join(b"data: " + line.encode() + b"\n\n" for line in lines)
            found.append(pytest.param(data, id=path.name))
    return found


@pytest.mark.parametrize("data", recorded("anthropic", without=("duplicate", "incomplete")))
def test_recorded_messages(data):
    """Recorded Anthropic streams become legal Chat streams with the same text and calls, in any pieces."""
    made = streamed([data], "messages")
    legal_chat(made)
    assert streamed(pieces(data, 1), "messages") == made
    before, after = whole(data, "messages"), whole(made, "chat")
    assert (texts(before), before.refusal) == (texts(after), after.refusal)
    assert calls(before) == calls(after)


@pytest.mark.parametrize("data", recorded("compat") + recorded("openai-chat"))
def test_recorded_chat(data):
    """Recorded streams of compatible servers become legal Messages streams with the same text and calls."""
    ended = any(one.get("choices") and one["choices"][0].get("finish_reason") for one in events(data))
    errors = any(one.get("error") for one in events(data))
    data += DONE if ended else b""
    made = streamed([data], "chat")
    assert streamed(pieces(data, 1), "chat") == made
    if errors or not ended:
        assert b"message_stop" not in made
        return
    legal_messages(made)
    before, after = whole(data, "chat"), whole(made, "messages")
    assert texts(before) == texts(after)
    assert calls(before) == calls(after)


def texts(answer):
    return "".join(block.text for block in answer.blocks if type(block).__name__ == "Text")


def calls(answer):
    found = [block for block in answer.blocks if type(block).__name__ == "ToolCall"]
    return [(block.name, json.loads(block.arguments or "{}")) for block in found]


def test_samples_are_legal():
    """The streams that other tests compare are legal."""
    legal_messages(streamed([CHAT], "chat"))
    legal_chat(streamed([MESSAGES], "messages"))


def test_too_large_a_request():
    """A request over 32 MiB is refused without being decoded."""
    with pytest.raises(RouterError, match="32 MiB") as caught:
        translate.request(b" " * (translate.REQUEST_LIMIT + 1), "chat", "messages", context())
    assert caught.value.status == 413


@pytest.mark.parametrize("size", [9 << 20, 24 << 20])
def test_a_large_request_is_translated(size):
    """Sessions with pictures and PDFs are over 8 MiB; Anthropic takes 32 MB."""
    url = "data:image/png;base64," + "iVBORw0KGgoA" * (size // 12)
    asked = {
        "model": "x",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
    }
    sent = translate.request(json.dumps(asked).encode(), "chat", "messages", context())
    assert len(sent.body) > size
