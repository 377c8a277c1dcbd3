"""Messages requires an output limit: callers that set none get one near the model's own, and hear of it if it cuts."""

import json

import pytest

from router.wire import translate

from ..translations import context

CALLERS = {
    "chat": ({"messages": [{"role": "user", "content": "x"}]}, "max_completion_tokens"),
    "responses": ({"input": "x"}, "max_output_tokens"),
}


def requested(caller, model, limit=None):
    """The request as Messages gets it, and its context."""
    said, name = CALLERS[caller]
    ctx = context()
    ctx.model = model
    body = {"model": model, **said} | ({name: limit} if limit else {})
    sent = json.loads(translate.request(json.dumps(body).encode(), caller, "messages", ctx).body)
    ctx.request_sent = True
    return sent, ctx


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("model", "limit"),
    [("glm-5.3", 128_000), ("kimi-k3", 262_144), ("claude-opus-4-8", 32_000), ("claude-3-opus", 4096), ("mine", 8192)],
)
def test_the_limit_of_the_model(caller, model, limit):
    """By the model's name where the caller set none; a limit of the caller's stays as it is."""
    sent, _ = requested(caller, model)
    assert sent["max_tokens"] == limit
    assert requested(caller, model, 77)[0]["max_tokens"] == 77


def answers(reason):
    """A whole answer and a stream that end so."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": {"input_tokens": 1}}
    text = {"type": "text", "text": "hi"}
    whole = message | {"content": [text], "stop_reason": reason, "usage": {"input_tokens": 1, "output_tokens": 1}}
    events = [
        {"type": "message_start", "message": message | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    frames = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return json.dumps(whole).encode(), frames.encode()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("limit", "reason", "told"),
    [(None, "max_tokens", True), (None, "end_turn", False), (9, "max_tokens", False), (9, "end_turn", False)],
)
def test_a_cut_by_a_limit_that_nobody_asked_for_is_told(caller, streamed, limit, reason, told):
    """By the caller's name of the field; a cut that the caller asked for is no loss."""
    _, ctx = requested(caller, "glm-5.3", limit)
    before = list(ctx.losses)
    whole, frames = answers(reason)
    if streamed:
        stream = translate.Stream("messages", caller, ctx)
        assert stream.feed(frames) + stream.end()
    else:
        assert translate.answer(whole, "messages", caller, ctx, stream=False).status == 200
    name = "max_output_tokens" if caller == "responses" else "max_tokens"
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses[len(before) :]] == ([f"{name}=weakened"] if told else [])
