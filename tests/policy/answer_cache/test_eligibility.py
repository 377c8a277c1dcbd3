"""Which requests may be given the answer of an equal one, as a table; and why the others may not."""

import json

import pytest

from router.policy.answer_cache.eligibility import find_obstacle
from router.policy.answer_cache.exact_json import read_exact

HI = [{"role": "user", "content": "hi"}]
URL = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
DATA = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"file_id": {}}}}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {}}}
RESPONSES = {"temperature": 0, "store": False, "input": HI}
SAID = [{"role": "user", "parts": [{"text": "hi"}]}]
GEMINI = {"contents": SAID, "generationConfig": {"temperature": 0}}

# Kind, body, whether tools may be declared, and a word of the reason; "" where the answer is kept.
TABLE = (
    ("messages", {"temperature": 0, "messages": HI}, False, ""),
    ("messages", {"temperature": 0.0, "messages": HI, "stream": True}, False, ""),
    ("messages", {"messages": HI}, False, "does not state"),
    ("messages", {"temperature": None, "messages": HI}, False, "does not state"),
    ("messages", {"temperature": 0.1, "messages": HI}, False, "is not 0"),
    ("messages", {"temperature": "0", "messages": HI}, False, "is not 0"),
    ("messages", {"temperature": False, "messages": HI}, False, "is not 0"),
    ("messages", {"temperature": 0, "messages": HI, "tools": []}, False, ""),
    ("messages", {"temperature": 0, "messages": HI, "tools": [TOOL]}, False, "declares tools"),
    ("messages", {"temperature": 0, "messages": HI, "tools": [TOOL]}, True, ""),
    ("messages", {"temperature": 0, "tools": [{**TOOL, "type": "custom"}]}, True, ""),
    ("messages", {"temperature": 0, "tools": [TOOL, {"type": "web_search_20250305"}]}, True, "provider runs"),
    ("messages", {"temperature": 0, "tools": [{"type": "bash_20250124"}]}, False, "provider runs"),
    ("messages", {"temperature": 0, "tools": "all"}, True, "provider runs"),
    ("messages", {"temperature": 0, "mcp_servers": [{"url": "https://x.example"}]}, True, "mcp_servers"),
    ("messages", {"temperature": 0, "container": "c_1"}, True, "container"),
    (
        "messages",
        {
            "temperature": 0,
            "messages": [{"content": [{"source": {"type": "file", "file_id": "f"}}]}],
        },
        False,
        "names a file",
    ),
    (
        "messages",
        {"temperature": 0, "messages": [{"content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]},
        False,
        "names a file",
    ),
    (
        "messages",
        {"temperature": 0, "messages": [{"content": [{"type": "image", "source": {"type": "base64", "data": ""}}]}]},
        False,
        "",
    ),
    ("chat", {"temperature": 0, "messages": HI}, False, ""),
    ("chat", {"temperature": 0, "messages": HI, "store": False, "n": 1, "web_search_options": None}, False, ""),
    ("chat", {"temperature": 0, "messages": HI, "store": True}, False, "stored"),
    ("chat", {"temperature": 0, "messages": HI, "n": 2}, False, "several"),
    ("chat", {"temperature": 0, "messages": HI, "tools": [FUNCTION]}, False, "declares tools"),
    ("chat", {"temperature": 0, "messages": HI, "tools": [FUNCTION]}, True, ""),
    (
        "chat",
        {"temperature": 0, "messages": HI, "functions": [{"name": "f", "parameters": {}}]},
        False,
        "declares tools",
    ),
    ("chat", {"temperature": 0, "functions": [{"name": "f", "parameters": {}}]}, True, ""),
    ("chat", {"temperature": 0, "messages": HI, "web_search_options": {}}, False, "search the web"),
    ("chat", {"temperature": 0, "messages": HI, "plugins": [{"id": "web"}]}, True, "plugins"),
    ("chat", {"temperature": 0, "messages": HI, "audio": {"voice": "alloy"}}, False, "audio"),
    ("chat", {"temperature": 0, "messages": [{"role": "user", "content": [URL]}]}, False, "names a file"),
    ("chat", {"temperature": 0, "messages": [{"role": "user", "content": [DATA]}]}, False, ""),
    ("responses", RESPONSES, False, ""),
    ("responses", {"temperature": 0, "input": "hi"}, False, "store: false"),
    ("responses", {**RESPONSES, "store": True}, False, "store: false"),
    ("responses", {**RESPONSES, "background": True}, False, "background"),
    ("responses", {**RESPONSES, "background": False, "conversation": None}, False, ""),
    ("responses", {**RESPONSES, "previous_response_id": "resp_1"}, False, "previous_response_id"),
    ("responses", {**RESPONSES, "conversation": {"id": "conv_1"}}, False, "conversation"),
    ("responses", {**RESPONSES, "prompt": {"id": "pmpt_1"}}, False, "prompt"),
    ("responses", {**RESPONSES, "input": [{"type": "item_reference", "id": "msg_1"}]}, False, "names a file"),
    (
        "responses",
        {**RESPONSES, "input": [{"content": [{"file_id": "f"}]}]},
        False,
        "names a file",
    ),
    ("responses", {**RESPONSES, "input": [{"content": [{"image_url": "http://x.example"}]}]}, False, "names a file"),
    ("responses", {**RESPONSES, "input": [{"type": "reasoning", "encrypted_content": "x"}]}, False, "encrypted"),
    ("responses", {**RESPONSES, "include": ["reasoning.encrypted_content"]}, False, "encrypted"),
    ("responses", {**RESPONSES, "tools": [{"type": "function", "name": "f"}]}, False, "declares tools"),
    ("responses", {**RESPONSES, "tools": [{"type": "function", "name": "f"}, {"type": "custom"}]}, True, ""),
    ("responses", {**RESPONSES, "tools": [{"type": "code_interpreter"}]}, True, "provider runs"),
    ("responses", {**RESPONSES, "tools": [{"type": "mcp", "server_url": "u"}]}, True, "provider runs"),
    ("gemini", {**GEMINI}, False, ""),
    ("gemini", {**GEMINI, "generationConfig": {"temperature": 0.0, "candidateCount": 1}}, False, ""),
    ("gemini", {"contents": SAID, "generation_config": {"temperature": 0}}, False, ""),
    ("gemini", {"contents": SAID}, False, "does not state"),
    ("gemini", {"contents": SAID, "temperature": 0}, False, "does not state"),
    ("gemini", {**GEMINI, "generation_config": {"temperature": 1}}, False, "is not 0"),
    ("gemini", {**GEMINI, "generationConfig": {"temperature": "0"}}, False, "is not 0"),
    ("gemini", {**GEMINI, "generation_config": {"candidate_count": 2}}, False, "several answers"),
    ("gemini", {**GEMINI, "cachedContent": "cachedContents/c"}, False, "cached content"),
    ("gemini", {**GEMINI, "cached_content": "cachedContents/c"}, False, "cached content"),
    ("gemini", {**GEMINI, "continuationToken": "t"}, False, "provider holds"),
    ("gemini", {**GEMINI, "store": True}, False, "stored"),
    ("gemini", {**GEMINI, "contents": [{"parts": [{"fileData": {"fileUri": "gs://a"}}]}]}, False, "names a file"),
    ("gemini", {**GEMINI, "system_instruction": {"parts": [{"file_data": {"file_uri": "f"}}]}}, False, "names a file"),
    ("gemini", {**GEMINI, "contents": [{"parts": [{"inlineData": {"data": "AA=="}}]}]}, False, ""),
    ("gemini", {**GEMINI, "tools": [{"functionDeclarations": [{"name": "f"}]}]}, False, "declares tools"),
    ("gemini", {**GEMINI, "tools": [{"function_declarations": [{"name": "f"}]}]}, True, ""),
    ("gemini", {**GEMINI, "tools": [{"functionDeclarations": []}, {"googleSearch": {}}]}, True, "provider runs"),
    ("gemini", {**GEMINI, "tools": "f"}, True, "provider runs"),
    ("embeddings", {"input": ["a", "b"]}, False, ""),
    ("embeddings", {"input": [[1, 2]], "dimensions": 8}, False, ""),
    ("count", {"messages": HI, "tools": [TOOL]}, False, ""),
    ("count", {"messages": HI, "temperature": 1}, False, ""),
    ("count", {"input": HI, "previous_response_id": "resp_1"}, False, "previous_response_id"),
    ("count", {"messages": [{"content": [{"source": {"type": "file", "file_id": "f"}}]}]}, False, "names a file"),
    ("count", {"generateContentRequest": {"contents": [{"parts": [{"fileData": {"fileUri": "f"}}]}]}}, False, "a file"),
    ("count", {"contents": [{"parts": [{"text": "hi"}]}]}, False, ""),
)


@pytest.mark.parametrize(("kind", "body", "tools", "word"), TABLE)
def test_the_table(kind, body, tools, word):
    """A request is kept, or the reason says what is in the way."""
    found = find_obstacle(kind, read_exact(json.dumps(body).encode()), tools=tools)
    assert (word in found) if word else found == ""
