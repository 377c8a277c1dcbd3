"""The output limit that Messages requires, for callers that set none."""

import json

import pytest

from router.wire import translate

from ..translations import context, event, gpt, streamed, user

ASKED = {
    "chat": (gpt(user("x")), {"max_tokens": 9}, "max_tokens"),
    "responses": ({"model": "x", "input": "x"}, {"max_output_tokens": 16}, "max_output_tokens"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reason", ["max_tokens", "end_turn"])
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("caller", ASKED)
def test_an_answer_that_the_assumed_limit_cut_says_so(caller, limited, reason, stream):
    """A caller that set no limit learns that one cut its answer; one that set it, or got the whole answer, does not."""
    body, limit, path = ASKED[caller]
    ctx = context(model="glm-5")
    translate.request(json.dumps({**body, **(limit if limited else {})}).encode(), caller, "messages", ctx)
    asked = len(ctx.losses)
    if stream:
        data = event("message_start", message={"id": "m", "usage": {}})
        data += event("content_block_start", index=0, content_block={"type": "text", "text": "a"})
        data += event("content_block_stop", index=0)
        data += event("message_delta", delta={"stop_reason": reason}, usage={}) + event("message_stop")
        made = streamed([data], "messages", ctx, caller)
    else:
        data = {"id": "m", "content": [{"type": "text", "text": "a"}], "stop_reason": reason, "usage": {}}
        made = translate.answer(json.dumps(data).encode(), "messages", caller, ctx, stream=False).body
    told = reason == "max_tokens" and not limited
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses[asked:]] == ([f"{path}=weakened"] if told else [])
    assert (f"fairlead-loss {path}=weakened".encode() in made) == (told and stream)
