"""Any input translated to or from Responses ends in an answer or in a RouterError, as in test_translate_fuzz."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.wire import translate

from .responses_samples import PAIRS
from .test_translate_fuzz import BODIES, VALUES
from .translations import context, streamed

KINDS = st.sampled_from(
    ["message", "reasoning", "function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output",
     "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call", "tool_search_output", "item_reference",
     "additional_tools", "configuration_update", "web_search_call", "compaction", "input_text", "output_text",
     "input_image", "input_file", "refusal", "summary_text", "function", "custom", "namespace", "tool_search", "mcp",
     "shell", "apply_patch", "web_search", "user", "assistant", "developer", "completed", "incomplete", "parallel"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "role", "content", "id", "call_id", "name", "arguments", "input", "output", "summary", "text", "action",
     "encrypted_content", "tools", "operation", "image_url", "file_data", "filename", "namespace", "format", "strict",
     "parameters", "execution", "environment", "status", "item", "part", "delta", "output_index", "content_index",
     "summary_index", "response", "usage", "incomplete_details", "reason", "error", "tool_uses", "effort", "mode"]
)  # fmt: skip
THINGS = st.recursive(
    st.one_of(KINDS, VALUES), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=14,
)  # fmt: skip
TYPED = st.dictionaries(KEYS, THINGS, max_size=7)
ITEMS = st.lists(st.builds(lambda kind, item: {**item, "type": kind}, KINDS, TYPED), min_size=1, max_size=4)
TOP = st.sampled_from(
    ["instructions", "tools", "tool_choice", "text", "reasoning", "include", "store", "previous_response_id", "prompt",
     "max_output_tokens", "metadata", "user", "service_tier", "background", "moderation", "top_logprobs", "stream"]
)  # fmt: skip
REQUESTS = st.builds(
    lambda fields, items: {**fields, "input": items}, st.dictionaries(TOP, THINGS, max_size=4), st.one_of(ITEMS, THINGS)
)
EVENTS = st.lists(
    st.builds(
        lambda kind, event: {**event, "type": kind},
        st.sampled_from(
            ["response.created", "response.output_item.added", "response.output_item.done", "response.completed",
             "response.output_text.delta", "response.refusal.delta", "response.reasoning_summary_text.delta",
             "response.reasoning_text.delta", "response.function_call_arguments.delta", "response.incomplete",
             "response.custom_tool_call_input.delta", "response.output_text.annotation.added", "response.failed",
             "error", "response.hologram"]
        ),
        TYPED,
    ),
    max_size=8,
)  # fmt: skip


@pytest.mark.parametrize("target", ["messages", "chat"])
@settings(max_examples=80)
@given(body=REQUESTS)
def test_any_request(target, body):
    """Any Responses request is translated to JSON, or refused."""
    with contextlib.suppress(RouterError):
        json.loads(translate.request(json.dumps(body).encode(), "responses", target, context("openai")).body)


@pytest.mark.parametrize("source", ["messages", "chat"])
@settings(max_examples=80)
@given(body=BODIES)
def test_any_request_for_it(source, body):
    """Any request of another protocol is translated to Responses, or refused."""
    with contextlib.suppress(RouterError):
        json.loads(translate.request(json.dumps(body).encode(), source, "responses", context("openai")).body)


@pytest.mark.parametrize("target", ["messages", "chat"])
@settings(max_examples=80)
@given(found=EVENTS)
def test_any_stream(target, found):
    """Any stream is translated to decodable events."""
    made = streamed([b"data: " + json.dumps(one).encode() + b"\n\n" for one in found], "responses", target=target)
    for _, payload in translate.payloads(made):
        assert payload == b"[DONE]" or isinstance(json.loads(payload), dict)


@settings(max_examples=80)
@given(found=TYPED, output=ITEMS, stream=st.booleans())
def test_any_answer(found, output, stream):
    """Any answer becomes an answer, an error, or None."""
    body = json.dumps({**found, "output": output}).encode()
    made = translate.answer(body, "responses", "messages", context(), stream=stream)
    assert made is None or 200 <= made[0] < 600


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=50)
@given(data=st.binary(max_size=80))
def test_any_bytes(source, target, data):
    """A stream of anything."""
    streamed([data, b"\n\ndata: ", data, b"\n\n"], source, target=target)


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_deep_json(target):
    """Nesting that would exhaust the stack is refused, or is not an answer."""
    deep = b'{"output":' + b"[" * 100000
    assert translate.answer(deep, "responses", target, context(), stream=False) is None
    assert b"error" in streamed([b"data: " + deep + b"\n\n"], "responses", target=target)
    with pytest.raises(RouterError):
        translate.request(b'{"input":' + b"[" * 100000, "responses", target, context())
