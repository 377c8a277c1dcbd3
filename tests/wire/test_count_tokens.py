"""Requests to count tokens hold the counted fields and nothing else."""

import json

from router.wire import count_tokens

from .responses_samples import LOOK, gpt5, say
from .translations import TOOL, claude, context, user


def asked(body, source, target):
    return json.loads(count_tokens.question(json.dumps(body).encode(), source, target, context()).body)


def test_for_responses():
    """A Messages request to count has no output limit, and none is sent."""
    body = claude(user("hi"), system="S", tools=[TOOL])
    del body["max_tokens"]
    made = asked(body, "messages", "responses")
    assert set(made) == {"model", "instructions", "input", "tools"}


def test_for_messages():
    """Fields that control the writing of the answer are not sent."""
    made = asked(gpt5(say("user", "hi"), tools=[LOOK], max_output_tokens=9, stream=True), "responses", "messages")
    assert set(made) == {"model", "messages", "tools"}


def test_the_answer():
    """A count is answered in the caller's form."""
    assert json.loads(count_tokens.answer(7, "messages")) == {"input_tokens": 7}
    assert json.loads(count_tokens.answer(7, "responses")) == {"object": "response.input_tokens", "input_tokens": 7}
