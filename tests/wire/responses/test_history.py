"""Histories of Responses on the way to another protocol: searches of the provider, items of agents, results without
ids."""

import json

import pytest

from router.errors import BadRequest

from ..conftest import FIXTURES
from ..responses_samples import LOOK, called, gpt5, output, say
from ..translations import sent

TARGETS = ["messages", "chat"]


def moved(*items, target="chat", **fields):
    """The body of a conversation that moved to another backend, and its losses."""
    return sent(gpt5(say("user", "hi"), *items, **fields), "responses", "", target, model="claude-opus-5")


def names(made):
    """The names of the tools, and those of the calls."""
    tools = [tool.get("function", tool)["name"] for tool in made.get("tools", ())]
    blocks = [block for turn in made["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
    used = [block["name"] for block in blocks if block["type"] == "tool_use"]
    asked = [one["function"]["name"] for turn in made["messages"] for one in turn.get("tool_calls") or ()]
    return tools, [*used, *asked]


def texts(made):
    """Role and text of each message."""
    found = []
    for turn in made["messages"]:
        content = turn["content"]
        parts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
        found.append((turn["role"], "\n".join(part for part in parts if part)))
    return found


FOUND = {**LOOK, "defer_loading": True}
SEARCH = {"type": "tool_search"}
SEARCHED = {"type": "tool_search_call", "execution": "server", "arguments": {"queries": ["look"]}}
BROUGHT = {"type": "tool_search_output", "execution": "server", "tools": [FOUND]}
IDS = [({}, {}), ({"call_id": None}, {"call_id": None}), ({"id": "a", "call_id": "b"}, {"id": "c", "call_id": "d"})]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("declared", [[], [FOUND]])
@pytest.mark.parametrize(("asked", "told"), IDS)
def test_a_search_of_the_provider_is_merged_into_the_tools(asked, told, declared, target):
    """A search that the provider ran leaves no call; what it found is declared as the history calls it, also where the
    call has the tool's own name as its namespace. Ids may be missing, null or different."""
    items = ({**SEARCHED, **asked}, {**BROUGHT, **told}, called(namespace="look"), output())
    made, lost = moved(*items, target=target, tools=[SEARCH, *declared])
    assert names(made) == (["look"], ["look"])
    assert "no result recorded" not in json.dumps(made)
    assert {"input[1]=weakened", "input[2]=weakened"} <= set(lost)


@pytest.mark.parametrize(
    ("tools", "call", "wanted"),
    [
        ([FOUND], called(namespace="look"), "look"),
        ([{"type": "namespace", "name": "crm", "tools": [LOOK]}], called(namespace="crm"), "crm__look"),
        ([{**LOOK, "name": "crm__look"}], called(name="crm__look", namespace="crm"), "crm__look"),
        ([LOOK, {"type": "namespace", "name": "crm", "tools": [LOOK]}], called(namespace="crm"), "crm__look"),
        ([LOOK], called(namespace="crm"), "look"),
        ([], called(namespace="look"), "look"),
        ([], called(namespace="crm"), "crm__look"),
    ],
)
def test_a_call_has_the_name_its_tool_is_declared_with(tools, call, wanted):
    """The namespace of a call counts where its tool is declared with it."""
    assert names(moved(call, output(), tools=tools)[0])[1] == [wanted]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("call_id", [{}, {"call_id": None}, {"call_id": ""}])
def test_a_result_without_an_id_is_text(call_id, target):
    """A result that names no call is the user's text, with the name of its tool, and named as weakened."""
    result = {"type": "function_call_output", "id": "fco_1", "name": "look", "output": "seen", **call_id}
    made, lost = moved(called(), output(), result, target=target)
    assert texts(made)[-1][0] == "user"
    assert texts(made)[-1][1].endswith("[output of the tool look]\nseen")
    assert lost == ["input[3].call_id=weakened"]


def test_a_result_by_the_id_of_its_call():
    """The result of a local shell has the id of its call and no call_id."""
    call = {"type": "local_shell_call", "id": "lsh_1", "call_id": None, "action": {"type": "exec", "command": ["ls"]}}
    made, lost = moved(call, {"type": "local_shell_call_output", "id": "lsh_1", "output": "a.txt"})
    assert (made["messages"][2]["tool_call_id"], made["messages"][2]["content"]) == ("lsh_1", "a.txt")
    assert lost == []


def test_a_wrong_id_is_named_by_its_field():
    """The error of an id names the field that is wrong."""
    for item, path in ((called(call_id=3), "call_id"), (output(call_id=3), "call_id"), (called(call_id=""), "call_id")):
        with pytest.raises(BadRequest, match=rf"input\[1\]\.{path}:"):
            moved(item)


MESSAGE = {
    "type": "agent_message",
    "author": "root",
    "recipient": "worker",
    "content": [{"type": "input_text", "text": "Fix it."}, {"type": "encrypted_content", "encrypted_content": "xyz"}],
}
FOREIGN = [
    (MESSAGE, "user", "[agent_message, author root, recipient worker]\nFix it.\n[encrypted content]"),
    ({"type": "agent_reasoning", "text": "hm"}, "assistant", "[agent_reasoning]\nhm"),
    ({"type": "context_compaction", "summary": "so far"}, "user", "[context_compaction]\nso far"),
    (
        {"type": "multi_agent_call", "call_id": "c", "name": "spawn", "arguments": '{"a":1}'},
        "assistant",
        '[multi_agent_call, name spawn]\narguments: {"a":1}',
    ),
    ({"type": "multi_agent_call_output", "call_id": "c", "output": "done"}, "user", "[multi_agent_call_output]\ndone"),
    ({"type": "program", "code": "look()", "fingerprint": "xyz"}, "assistant", "[program]\ncode: look()"),
    ({"type": "program_output", "result": "3"}, "user", "[program_output]\n3"),
    ({"type": "mcp_approval_request", "name": "f", "arguments": "{}"}, "assistant", None),
    ({"type": "mcp_approval_response", "approve": True}, "user", "[mcp_approval_response]\napprove: true"),
    ({"type": "hologram", "parts": [{"text": "a"}, {"depth": [{"text": "b"}]}]}, "user", "[hologram]\na\ndepth: b"),
    ({"type": "hologram", "role": "assistant", "text": "a"}, "assistant", "[hologram]\na"),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("item", "role", "text"), FOREIGN)
def test_an_item_that_only_agents_know_is_text(item, role, text, target):
    """An item of an unknown type is told as text by the one whose words it is; the thread lives, the loss is named."""
    made, lost = moved(item, say("user", "and?"), target=target)
    told = "\n".join(said for found, said in texts(made) if found == role)
    assert (text or f"[{item['type']}") in told
    assert "xyz" not in json.dumps(made)
    assert lost == ["input[1]=weakened"]


def test_what_is_told_of_an_item_is_bounded():
    """An item of any size and depth becomes a text of bounded size."""
    deep = {"text": "x"}
    for _ in range(60):
        deep = {"inner": [deep]}
    made, _ = moved({"type": "hologram", "text": "a" * 200_000, "deep": deep}, say("user", "and?"))
    assert len(json.dumps(made)) < 70_000


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["compaction", "compaction_summary", "context_compaction"])
def test_a_sealed_history_is_refused_with_the_way_on(kind, target):
    """A sealed history is never replaced by less; the error says what to do."""
    with pytest.raises(BadRequest, match=r"^input\[1\]: .*new thread.* backend that wrote it"):
        moved({"type": kind, "encrypted_content": "x"}, target=target)


def test_a_sealed_part_of_a_message():
    """A part of a message that only OpenAI can read is marked in its place."""
    made, lost = moved(say("user", [{"type": "encrypted_content", "encrypted_content": "xyz"}]))
    assert texts(made)[-1][1].endswith("[encrypted content]")
    assert lost == ["input[1].content[0]=weakened"]


def test_what_the_provider_ran_is_summed_up():
    """Of a call that the provider ran, the question and the answer are told, pictures excepted."""
    ran = [
        {"type": "mcp_call", "server_label": "crm", "name": "find", "arguments": '{"a":1}', "output": "Ada"},
        {
            "type": "code_interpreter_call",
            "code": "1+1",
            "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "data:"}],
        },
        {"type": "image_generation_call", "revised_prompt": "a cat", "result": "aGk="},
        {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
    ]
    made, lost = moved(*ran, say("user", "and?"))
    told = texts(made)[1][1]
    for said in ('[mcp: crm.find {"a":1}]', "Ada", "[code_interpreter: 1+1]", '"logs":"2"', "a cat", '"query":"x"'):
        assert said in told
    assert "aGk=" not in told
    assert "data:" not in told
    assert lost == [f"input[{at}]=weakened" for at in range(1, 5)]


def test_fields_that_are_not_read_are_named():
    """A phase, and every other field of an item or a part that is not read, is named with its path."""
    message = {**say("assistant", [{"type": "output_text", "text": "a", "aura": "x"}]), "phase": "commentary"}
    _, lost = moved({**message, "id": "m", "status": "completed"}, called(caller={"type": "program"}), output())
    assert set(lost) == {"input[1].phase=dropped", "input[1].content[0].aura=dropped", "input[2].caller=dropped"}


def test_an_empty_user_message():
    """An empty message of the user, which OpenAI takes, does not end the thread."""
    made, lost = moved(say("user", ""), say("assistant", "So."), say("user", "and?"))
    assert [one["content"] for one in made["messages"]] == ["hi", "", "So.", "and?"]
    assert lost == []


def test_a_file_by_its_url_in_the_place_of_its_data():
    """A URL in file_data, as gateways take it, is the file's URL."""
    part = {"type": "input_file", "filename": "a.pdf", "file_data": "https://a/b.pdf"}
    made, _ = moved(say("user", [part]), target="messages")
    assert made["messages"][-1]["content"][-1]["source"] == {"type": "url", "url": "https://a/b.pdf"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_recorded_searches_of_the_provider(name, target):
    """Recorded conversations with a search of the provider: no invented call or result, and the found tool's name."""
    path = FIXTURES / "faults" / "04-hosted-tool-search-history" / f"{name}-request.responses.json"
    if not path.exists():
        pytest.skip("no recording")
    made, _ = sent(json.loads(path.read_text()), "responses", "", target, model="claude-opus-5")
    tools, used = names(made)
    assert used == ([] if name == "c" else ["get_exchange_rate"])
    assert "get_exchange_rate" in tools
    assert "no result recorded" not in json.dumps(made)
