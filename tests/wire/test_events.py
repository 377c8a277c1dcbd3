"""Meaning of events and error objects: the commit point, the end, an error inside a 200, token counts."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ir import Usage
from router.settings.profile import Profile
from router.wire.dialect import Verdict
from router.wire.protocols import BY_NAME, PLAIN
from router.wire.raw import sse
from router.wire.raw.json import json_values

H, C, E = Verdict.HOLD, Verdict.COMMIT, Verdict.ERROR

MESSAGES, CHAT, RESPONSES, GEMINI = (BY_NAME[name].dialect for name in ("messages", "chat", "responses", "gemini"))


def chunk(finish=None, **delta):
    """A Chat chunk."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


# dialect, event name, data, verdict, ending
MEANINGS = [
    (MESSAGES, "message_start", {"type": "message_start", "message": {}}, H, None),
    (MESSAGES, "ping", {"type": "ping"}, H, None),
    (MESSAGES, "", {"type": "content_block_start"}, C, None),
    (MESSAGES, "message_delta", {"type": "message_delta"}, C, None),
    (MESSAGES, "message_stop", {"type": "message_stop"}, C, True),
    (MESSAGES, "error", {"type": "error", "error": {}}, E, False),
    (MESSAGES, "", {"type": "error"}, E, False),
    (MESSAGES, "error", {"message": "no type"}, E, False),
    (MESSAGES, "", None, H, None),
    (CHAT, "", chunk(role="assistant"), H, None),
    (CHAT, "", chunk(role="assistant", content=""), H, None),
    (CHAT, "", chunk(content="a"), C, None),
    (CHAT, "", chunk(reasoning_content="a"), C, None),
    (CHAT, "", chunk(reasoning="a"), C, None),
    (CHAT, "", chunk(refusal="a"), C, None),
    (CHAT, "", chunk(tool_calls=[{"index": 0}]), C, None),
    (CHAT, "", chunk(tool_calls=[]), H, None),
    (CHAT, "", chunk(finish="stop"), C, True),
    (CHAT, "", chunk(finish="length", content="a"), C, True),
    (CHAT, "", {"choices": [{"text": "a", "finish_reason": None}]}, C, None),
    (CHAT, "", {"choices": [{"text": "", "finish_reason": None}]}, H, None),
    (CHAT, "", {"choices": [], "usage": {"prompt_tokens": 1}}, H, None),
    (CHAT, "", {"choices": [], "prompt_filter_results": []}, H, None),
    (CHAT, "", {"error": {"message": "no"}}, E, False),
    (CHAT, "", {**chunk(finish="error"), "error": {"code": 502}}, E, False),
    (CHAT, "error", {"message": "no form"}, E, False),
    (CHAT, "error", None, E, False),
    (CHAT, "", {"error": "a text"}, E, False),
    (CHAT, "", {"error": None, **chunk(content="a")}, C, None),
    (CHAT, "", {"choices": "odd"}, H, None),
    (CHAT, "", {"choices": [None, 1]}, H, None),
    (RESPONSES, "response.created", {"type": "response.created"}, H, None),
    (RESPONSES, "", {"type": "response.in_progress"}, H, None),
    (RESPONSES, "", {"type": "response.queued"}, H, None),
    (RESPONSES, "", {"type": "keepalive"}, H, None),
    (RESPONSES, "", {"type": "response.output_item.added"}, C, None),
    (RESPONSES, "", {"type": "response.completed", "response": {}}, C, True),
    (RESPONSES, "", {"type": "response.incomplete", "response": {}}, C, True),
    (RESPONSES, "", {"type": "response.failed", "response": {}}, E, False),
    (RESPONSES, "", {"type": "error", "message": "no"}, E, False),
    (RESPONSES, "error", {"message": "no type"}, E, False),
    (RESPONSES, "response.created", {"response": {}}, H, None),
    (RESPONSES, "response.completed", {"response": {}}, C, True),
    (RESPONSES, "", None, H, None),
    (GEMINI, "", {"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}}]}, C, None),
    (GEMINI, "", {"candidates": [{"content": {"role": "model"}}]}, H, None),
    (GEMINI, "", {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}, C, True),
    (GEMINI, "", {"candidates": [{"finishReason": "SAFETY"}]}, C, True),
    (GEMINI, "", {"candidates": []}, H, None),
    (GEMINI, "", {"candidates": [None, 1], "usageMetadata": {}}, H, None),
    (GEMINI, "", {"usageMetadata": {"trafficType": "ON_DEMAND"}}, H, None),
    (GEMINI, "", {"promptFeedback": {"blockReason": "SAFETY"}}, C, True),
    (GEMINI, "", {"error": {"code": 503}}, E, False),
    (GEMINI, "error", {"message": "no form"}, E, False),
    (GEMINI, "", None, H, None),
    (PLAIN, "", {"anything": 1}, C, None),
    (PLAIN, "", None, C, None),
]


@pytest.mark.parametrize(("dialect", "name", "data", "verdict", "ending"), MEANINGS, ids=range(len(MEANINGS)))
def test_an_event_means_what_its_protocol_says(dialect, name, data, verdict, ending):
    """Which events of each protocol hold a stream back, commit it or fail it, and which end it well or as failed."""
    event = sse.Event(name, b"" if data is None else json.dumps(data).encode())
    assert dialect.judge(event, data) is verdict
    if dialect is not PLAIN:
        assert dialect.ending(event, data) is ending


@pytest.mark.parametrize("text", [b"[DONE]", b" [DONE]", b"[DONE] "])
def test_done_ends_a_chat_stream(text):
    """Only [DONE], also with space around it, ends a Chat stream."""
    assert CHAT.judge(sse.Event("", text), None) is C
    assert CHAT.ending(sse.Event("", text), None) is True


# dialect, body of a 200, status, type in the answer's error
FAILURES = [
    (CHAT, {"choices": []}, None, None),
    (CHAT, {"error": None, "choices": []}, None, None),
    (CHAT, {"error": {"code": 429, "message": "slow"}}, 429, "rate_limit_error"),
    (CHAT, {"error": {"code": "429", "message": "slow"}}, 429, "rate_limit_error"),
    (CHAT, {"error": {"code": 502, "message": "x"}, "choices": []}, 502, "server_error"),
    (CHAT, {"error": {"code": 200, "message": "x"}}, 502, "server_error"),
    (CHAT, {"error": {"message": "x", "type": "rate_limit_exceeded"}}, 429, "rate_limit_exceeded"),
    (CHAT, {"error": {"code": "context_length_exceeded", "message": "x"}}, 400, "invalid_request_error"),
    (CHAT, {"error": {"code": "model_not_found", "message": "x"}}, 404, "invalid_request_error"),
    (CHAT, {"error": "plain words"}, 502, "server_error"),
    (CHAT, {"error": {"code": "9" * 5000, "message": "x"}}, 502, "server_error"),
    (MESSAGES, {"type": "message", "content": []}, None, None),
    (MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, 529, "overloaded_error"),
    (MESSAGES, {"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, 429, "rate_limit_error"),
    (MESSAGES, {"type": "error", "error": {"type": "unheard_of", "message": "x"}}, 502, "unheard_of"),
    (MESSAGES, {"type": "error", "message": "x"}, 502, "api_error"),
    (MESSAGES, {"error": {"code": 429, "message": "x"}}, 429, "rate_limit_error"),
    (MESSAGES, {"error": {"type": "invalid_request_error", "message": "x"}}, 400, "invalid_request_error"),
    (RESPONSES, {"object": "response", "error": None}, None, None),
    (RESPONSES, {"type": "error", "code": "rate_limit_exceeded", "message": "x"}, 429, "rate_limit_error"),
    (RESPONSES, {"type": "error", "error": {"code": "server_error", "message": "x"}}, 500, "server_error"),
    (RESPONSES, {"response": {"error": {"code": "invalid_prompt", "message": "x"}}}, 400, "invalid_request_error"),
    (RESPONSES, {"error": {"type": "insufficient_quota", "message": "x"}}, 429, "insufficient_quota"),
]


@pytest.mark.parametrize(("dialect", "body", "status", "kind"), FAILURES, ids=range(len(FAILURES)))
def test_an_error_inside_a_200_has_a_status(dialect, body, status, kind):
    """An error inside a 200 has the status of its number, else of its code or type, else 502."""
    failure = dialect.failure(body)
    if status is None:
        assert failure is None
        return
    assert failure.status == status
    answer = json.loads(failure.body)
    assert answer["error"]["type"] == kind
    assert isinstance(answer["error"]["message"], str)
    assert answer["error"]["message"]
    if dialect is MESSAGES:
        assert answer["type"] == "error"


KEYS = ["error", "type", "code", "message", "response", "choices", "delta", "finish_reason", "usage", "status"]
KEYS += ["prompt_tokens_details", "cached_tokens", "prompt_tokens", "input_tokens", "output_tokens_details"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["error", "message_stop"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(st.sampled_from([MESSAGES, CHAT, RESPONSES, PLAIN]), st.text(max_size=8), JSON)
def test_no_event_of_an_upstream_raises(dialect, name, value):
    """Any JSON in any place is judged without a crash; an error found in it has an error status and a JSON body."""
    data = json_values.decode_object(json.dumps(value))
    event = sse.Event(name, json.dumps(value).encode())
    dialect.judge(event, data)
    dialect.ending(event, data)
    if data is not None:
        dialect.usage(data, Usage(), Profile())
        dialect.usage_in(data)
        failure = dialect.failure(data)
        if failure is not None:
            assert 400 <= failure.status <= 599
            assert isinstance(json.loads(failure.body)["error"], dict)


MESSAGES_USAGE = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3}
CHAT_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
RESPONSES_USAGE = {
    "input_tokens": 10,
    "output_tokens": 7,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
    "output_tokens_details": {"reasoning_tokens": 4},
}
WHOLE = Usage(input=5, output=7, cache_read=2, cache_write=3, reasoning=4)

COUNTS = [
    (MESSAGES, [MESSAGES_USAGE], Usage(input=5, output=7, cache_read=2, cache_write=3)),
    (MESSAGES, [MESSAGES_USAGE, {"output_tokens": 9}], Usage(input=5, output=9, cache_read=2, cache_write=3)),
    (MESSAGES, [{"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}], Usage(output=9, reasoning=4)),
    (MESSAGES, [{"input_tokens": -1, "output_tokens": True, "cache_read_input_tokens": "2"}], Usage()),
    (CHAT, [CHAT_USAGE], WHOLE),
    (CHAT, [{"prompt_tokens": 3, "completion_tokens": 1}], Usage(input=3, output=1)),
    (CHAT, [{"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}}], Usage(input=0, cache_read=5)),
    (CHAT, [CHAT_USAGE, {}], WHOLE),
    (CHAT, [{"prompt_tokens": 1, "prompt_tokens_details": None, "completion_tokens": 2}], Usage(input=1, output=2)),
    (RESPONSES, [RESPONSES_USAGE], WHOLE),
    (RESPONSES, [RESPONSES_USAGE, {"type": "object"}], WHOLE),
]


@pytest.mark.parametrize(("dialect", "found", "wanted"), COUNTS, ids=range(len(COUNTS)))
def test_token_counts_are_read(dialect, found, wanted):
    """Cached tokens are counted apart, what is absent or odd stays unknown, and a later report adds to an earlier."""
    usage = Usage()
    for one in found:
        usage = dialect.usage(one, usage, Profile())
    assert usage == wanted


def test_every_protocol_has_a_dialect():
    """There is a dialect for each protocol that a backend can speak."""
    assert sorted(BY_NAME) == ["chat", "gemini", "messages", "responses"]
