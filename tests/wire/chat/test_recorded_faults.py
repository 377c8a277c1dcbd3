"""Recorded answers and requests that earlier builds gave to Chat callers, or took from them, with something lost."""

import json

import pytest

from router.ir import Text
from router.wire import translate

from ..test_oracles import by_python
from ..test_responses_streams import whole
from ..test_translate_streams import FIXTURES
from ..translations import context, events, sent, streamed
from .test_encode_answer import by_node, read_details


def read(name):
    """A file of the recordings."""
    path = FIXTURES / "faults" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_bytes()


def asking(folder):
    """The context of an answer to the request of a recording."""
    ctx = context()
    target = "messages" if "messages" in next((FIXTURES / "faults" / folder).glob("upstream.*")).name else "responses"
    translate.request(read(f"{folder}/request.chat.json"), "chat", target, ctx)
    return ctx


@pytest.mark.parametrize("sdk", [lambda data: by_python("chat", data)["choices"][0], by_node], ids=["python", "node"])
def test_free_text_calls_in_a_recorded_stream(sdk):
    """The SDKs read a call of a tool that the caller declared as one for free text."""
    name = "19-custom-call-in-chat-stream"
    data = read(f"{name}/upstream.responses.sse")
    [call] = sdk(streamed([data], "responses", asking(name), "chat"))["message"]["tool_calls"]
    final = events(data)[-1]["response"]["output"]
    [item] = [one for one in final if one["type"] == "custom_tool_call"]
    assert call["custom"] == {"name": "write_sql", "input": item["input"]}
    assert json.loads(call["function"]["arguments"]) == {"input": item["input"]}


def test_recorded_reasoning_is_read_once():
    """A reader of reasoning_details and one of reasoning_content see the same text."""
    data = read("20-reasoning-twice/upstream.messages.sse")
    made = events(streamed([data], "messages", target="chat"))
    deltas = [one["delta"] for chunk in made for one in chunk["choices"]]
    known = []
    text = "".join(one.get("reasoning_content") or "" for one in deltas)
    assert len(text) == 192
    assert "".join(read_details(one, known) for one in deltas) == text
    assert len(known) == 1


CITING = {
    "messages-to-chat-upstream.messages.sse": "messages",
    "responses-to-chat-upstream.responses.json": "responses",
}


@pytest.mark.parametrize("name", CITING)
def test_recorded_citations_stand_beside_the_text(name):
    """Each page that the answer cites is an annotation with the words that rest on it, streamed and whole."""
    data, source = read(f"08-citations-lost/{name}"), CITING[name]
    found = whole(data, source) if name.endswith(".sse") else decode_answer(source, data)
    cited = [one.url for block in found.blocks if isinstance(block, Text) for one in block.citations]
    assert cited
    made = json.loads(translate.encode_answer(found, "chat", context(), stream=False))
    stream = by_python("chat", translate.encode_answer(found, "chat", context(), stream=True))
    for [choice] in (made["choices"], stream["choices"]):
        notes = [one["url_citation"] for one in choice["message"]["annotations"]]
        assert [one["url"] for one in notes] == cited
        assert all(choice["message"]["content"][one["start_index"] : one["end_index"]].strip() for one in notes)


def decode_answer(source, data):
    return translate.BY_NAME[source].codec.decode_answer(json.loads(data), context())


def test_recorded_words_of_other_servers():
    """A file by its address, Groq's effort `default` and Mistral's choice `any` are taken as meant."""
    folder = "22-words-and-small-things"
    made = {name: sent(json.loads(read(f"{folder}/{name}-request.chat.json")), "chat") for name in "ade"}
    source = made["a"][0]["messages"][0]["content"][1]["source"]
    assert (source["type"], source["url"][-9:]) == ("url", "dummy.pdf")
    assert "thinking" not in made["d"][0]
    assert made["d"][1] == ["service_tier=dropped"]
    assert made["e"][0]["tool_choice"] == {"type": "any"}
