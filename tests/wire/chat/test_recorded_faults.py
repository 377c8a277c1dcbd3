"""Recorded answers and requests that earlier builds gave to Chat callers, or took from them, with something lost."""

import json

import pytest

from router.wire import translate

from ..test_oracles import by_python
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


def test_recorded_words_of_other_servers():
    """A file by its address, Groq's effort `default` and Mistral's choice `any` are taken as meant."""
    folder = "22-words-and-small-things"
    made = {name: sent(json.loads(read(f"{folder}/{name}-request.chat.json")), "chat") for name in "ade"}
    source = made["a"][0]["messages"][0]["content"][1]["source"]
    assert (source["type"], source["url"][-9:]) == ("url", "dummy.pdf")
    assert "thinking" not in made["d"][0]
    assert made["d"][1] == ["service_tier=dropped"]
    assert made["e"][0]["tool_choice"] == {"type": "any"}
