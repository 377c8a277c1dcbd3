"""Tools of Responses that are no functions: bridged there and back, whole and streamed."""

import json

import pytest

from router.wire import translate

from ..responses_samples import PATCH, gpt5, legal, output, say
from ..translations import DONE, call, chunk, context, event, streamed

TEXT = '*** Begin Patch\n+a "q" \\d \u00e9\n*** End Patch'
NAMESPACE = {"type": "namespace", "name": "crm", "description": "n", "tools": [{"type": "function", "name": "find"}]}
CASES = [
    pytest.param(
        PATCH,
        "apply_patch",
        {"input": TEXT},
        {"type": "custom_tool_call", "name": "apply_patch", "input": TEXT},
        "custom_tool_call_output",
        id="custom",
    ),
    pytest.param(
        NAMESPACE,
        "crm__find",
        {"a": 1},
        {"type": "function_call", "name": "find", "namespace": "crm", "arguments": '{"a":1}'},
        "function_call_output",
        id="namespace",
    ),
    pytest.param(
        {"type": "local_shell"},
        "local_shell",
        {"command": ["ls"]},
        {"type": "local_shell_call", "action": {"type": "exec", "env": {}, "command": ["ls"]}},
        "local_shell_call_output",
        id="local shell",
    ),
    pytest.param(
        {"type": "shell"},
        "shell",
        {"commands": ["ls"]},
        {"type": "shell_call", "action": {"commands": ["ls"]}},
        "shell_call_output",
        id="shell",
    ),
    pytest.param(
        {"type": "apply_patch"},
        "apply_patch",
        {"type": "delete_file", "path": "a"},
        {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        "apply_patch_call_output",
        id="patch",
    ),
    pytest.param(
        {"type": "tool_search", "execution": "client"},
        "tool_search",
        {"query": "mail"},
        {"type": "tool_search_call", "execution": "client", "arguments": {"query": "mail"}},
        "tool_search_output",
        id="search",
    ),
]


def asked(source, *items, tool=PATCH):
    ctx = context("openai", model="gpt-4.1")
    body = json.dumps(gpt5(say("user", "go"), *items, tools=[tool])).encode()
    made = json.loads(translate.request(body, "responses", source, ctx).body)
    return made, ctx


def answer_of(source, name, arguments):
    """A stream of the upstream with one call, its arguments in pieces."""
    said = json.dumps(arguments, separators=(",", ":"))
    pieces = [said[at : at + 3] for at in range(0, len(said), 3)]
    if source == "chat":
        parts = [chunk(call(0, None, None, piece)) for piece in pieces]
        return chunk(call(0, "c1", name, "")) + b"".join(parts) + chunk({}, "tool_calls") + DONE
    block = {"type": "tool_use", "id": "c1", "name": name, "input": {}}
    deltas = [
        event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": one}) for one in pieces
    ]
    return (
        event("message_start", message={"id": "msg_1", "usage": {"input_tokens": 1, "output_tokens": 1}})
        + event("content_block_start", index=0, content_block=block)
        + b"".join(deltas)
        + event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1})
        + event("message_stop")
    )


@pytest.mark.parametrize("source", ["chat", "messages"])
@pytest.mark.parametrize(("tool", "name", "arguments", "item", "result"), CASES)
def test_a_round(source, tool, name, arguments, item, result):
    """The tool is declared as a function, its call comes back as its own item, and so does the result."""
    made, ctx = asked(source, tool=tool)
    [declared] = made["tools"]
    assert (declared["function"] if source == "chat" else declared)["name"] == name
    response = legal(streamed([answer_of(source, name, arguments)], source, ctx, "responses"))
    [found] = response["output"]
    assert found["call_id"] == "c1"
    assert found["status"] == "completed"
    assert item.items() <= found.items()
    brings = {"tools": []} if result == "tool_search_output" else {}
    again, _ = asked(source, found, output("c1", "done", result, **brings), tool=tool)
    if source == "chat":
        function = again["messages"][1]["tool_calls"][0]["function"]
        assert (function["name"], json.loads(function["arguments"])) == (name, arguments)
        assert again["messages"][2]["tool_call_id"] == "c1"
    else:
        used = again["messages"][1]["content"][0]
        assert (used["name"], used["input"]) == (name, arguments)
        assert again["messages"][2]["content"][0]["tool_use_id"] == "c1"


@pytest.mark.parametrize("source", ["chat", "messages"])
def test_free_text_streams(source):
    """The text of a patch comes out piece by piece, as its own events, and the pieces are the whole."""
    _, ctx = asked(source)
    data = streamed([answer_of(source, "apply_patch", {"input": TEXT})], source, ctx, "responses")
    found = [json.loads(payload) for _, payload in translate.payloads(data)]
    deltas = [one["delta"] for one in found if one["type"] == "response.custom_tool_call_input.delta"]
    assert len(deltas) > 10
    assert "".join(deltas) == TEXT
    assert [one["input"] for one in found if one["type"] == "response.custom_tool_call_input.done"] == [TEXT]


def test_a_search_brings_tools():
    """What a search found is declared from then on, and its result says so."""
    found = {"type": "tool_search_output", "call_id": "c1", "execution": "client", "status": "completed"}
    searched = {"type": "tool_search_call", "call_id": "c1", "arguments": {"query": "x"}, "execution": "client"}
    tool = {"type": "tool_search", "execution": "client"}
    made, ctx = asked("chat", searched, {**found, "tools": [NAMESPACE]}, tool=tool)
    assert [one["function"]["name"] for one in made["tools"]] == ["tool_search", "crm__find"]
    assert made["messages"][2]["content"] == "[tools available: crm__find]"
    assert [loss.path for loss in ctx.losses] == ["input[2]", "input[2].tools[0].description"]


def test_a_search_of_the_server_is_left_out():
    """Deferred tools are sent at once, where no client searches for them."""
    ctx = context()
    deferred = {"type": "function", "name": "find", "defer_loading": True, "strict": False}
    body = gpt5(say("user", "go"), tools=[{"type": "tool_search"}, deferred])
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", ctx).body)
    assert [one["function"]["name"] for one in made["tools"]] == ["find"]
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == ["tools[0]=dropped", "tools[1].defer_loading=weakened"]


def test_additional_tools():
    """Tools that an item of the conversation adds are declared with the others."""
    item = {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "find"}]}
    made, _ = asked("messages", item)
    assert [one["name"] for one in made["tools"]] == ["apply_patch", "find"]


def allowed(mode, name):
    return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": name}]}


@pytest.mark.parametrize(
    ("choice", "tools", "wanted"),
    [
        ("required", ["a", "b"], "required"),
        ({"type": "function", "name": "b"}, ["a", "b"], {"type": "function", "function": {"name": "b"}}),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]},
            ["b"],
            "required",
        ),
        (allowed("auto", "a"), ["a"], "auto"),
    ],
)
def test_the_choice_of_a_tool(choice, tools, wanted):
    """Choices are flat in Responses; of tools that are allowed only those are sent."""
    functions = [{"type": "function", "name": name, "strict": False} for name in ("a", "b")]
    body = gpt5(say("user", "go"), tools=functions, tool_choice=choice)
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", context()).body)
    assert [one["function"]["name"] for one in made["tools"]] == tools
    assert made["tool_choice"] == wanted
