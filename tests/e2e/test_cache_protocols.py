"""Losses of caches in Chat and in Responses, where the cache is said in OpenAI's words."""

import json

import pytest

from .cache_sessions import PROSE, Stand, rewritten
from .upstream import plain


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("cache"))
    yield made
    made.stop()


def chat(count, **changes):
    """A request in Chat, with the system prompt as the first message."""
    conversation = [{"role": "system", "content": PROSE}]
    for number in range(count):
        conversation.append({"role": "user", "content": f"{number} {PROSE}"})
        conversation.append({"role": "assistant", "content": f"answer {number} {PROSE}"})
    conversation.append({"role": "user", "content": f"{count} {PROSE}"})
    functions = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("read", "write")]
    return {"model": "gpt-5", "messages": conversation, "tools": functions, **changes}


def chat_answered(new, read):
    usage = {"prompt_tokens": new + read, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": read}}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    return plain(json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode())


CHAT_CAUSES = {
    "nothing": (None, None, {}, 19_000),
    "tools": ("tools", "read removed", {"tools": chat(1)["tools"][1:]}, 0),
    "effort": ("settings", "reasoning_effort added", {"reasoning_effort": "low"}, 0),
    "system": (
        "system",
        "message 1",
        {"messages": [{"role": "system", "content": "other"}, *chat(2)["messages"][1:]]},
        0,
    ),
    "message": ("messages", "message 3 (assistant)", {"messages": rewritten(chat(2)["messages"], 2, "other")}, 0),
    "evicted": ("evicted", "", {}, 0),
}


@pytest.mark.parametrize("name", CHAT_CAUSES)
def test_sessions_in_chat(stand, name):
    """The system prompt is the first message there, and the cache is said in OpenAI's words."""
    reason, text, changes, read = CHAT_CAUSES[name]
    second = chat_answered(20_500 - read, read)
    turns = ((chat(1), chat_answered(20_000, 0)), (chat(2, **changes), second))
    found = stand.session(*turns, path="/v1/chat/completions")
    assert (found[0], found[3]) == (reason, text)


def codex(count, **changes):
    """A request in Responses as Codex sends it."""
    items = []
    for number in range(count):
        content = [{"type": "input_text", "text": f"{number} {PROSE}"}]
        items.append({"type": "message", "role": "user", "content": content})
        items.append({"type": "reasoning", "summary": [], "encrypted_content": PROSE})
        items.append({"type": "function_call", "name": "shell", "arguments": "{}", "call_id": f"call_{number}"})
        items.append({"type": "function_call_output", "call_id": f"call_{number}", "output": PROSE})
    tools = [{"type": "function", "name": name, "parameters": {}} for name in ("shell", "apply_patch")]
    fixed = {"model": "gpt-5", "instructions": PROSE, "tools": tools, "store": False, "prompt_cache_key": "thread"}
    return {**fixed, "input": items, **changes}


def codex_answered(new, read):
    usage = {"input_tokens": new + read, "output_tokens": 5, "input_tokens_details": {"cached_tokens": read}}
    content = [{"type": "output_text", "text": "Hi", "annotations": []}]
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": [item], "usage": usage}
    return plain(json.dumps(whole).encode())


def without(conversation, at):
    """A conversation that lacks an item."""
    return [*conversation[:at], *conversation[at + 1 :]]


CODEX_CAUSES = {
    "nothing": (None, None, {}, 19_000),
    "tools": ("tools", "apply_patch removed", {"tools": codex(1)["tools"][:1]}, 0),
    "instructions": ("system", "block 1 of 1", {"instructions": "other"}, 0),
    "effort": ("settings", "reasoning added", {"reasoning": {"effort": "low"}}, 0),
    "cache key": ("settings", "prompt_cache_key changed", {"prompt_cache_key": "another"}, 0),
    "item": ("messages", "message 2 (function_call)", {"input": without(codex(2)["input"], 1)}, 0),
    "evicted": ("evicted", "", {}, 0),
}


@pytest.mark.parametrize("name", CODEX_CAUSES)
def test_sessions_of_codex(stand, name):
    """Items without marks, instructions beside them, and a key for the cache."""
    reason, text, changes, read = CODEX_CAUSES[name]
    second = codex_answered(20_500 - read, read)
    turns = ((codex(1), codex_answered(20_000, 0)), (codex(2, **changes), second))
    found = stand.session(*turns, path="/v1/responses")
    assert (found[0], found[3]) == (reason, text)


def test_a_request_that_continues_a_stored_answer_is_not_judged(stand):
    """It holds the new part of its conversation only."""
    first = (codex(1), codex_answered(20_000, 0))
    second = (codex(1, previous_response_id="resp_1"), codex_answered(20_500, 0))
    assert stand.session(first, second, path="/v1/responses")[0] is None


def test_an_upstream_that_tells_nothing_of_its_cache_is_not_judged(stand):
    """No count is no loss."""
    usage = {"prompt_tokens": 20_000, "completion_tokens": 5}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    silent = plain(json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode())
    found = stand.session((chat(1), silent), (chat(2, tools=None), silent), path="/v1/chat/completions")
    assert found[0] is None
