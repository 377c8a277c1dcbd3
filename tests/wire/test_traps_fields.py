"""Known pitfalls of translating parameters; each test is named after their numbers (test_traps_listed.py)."""

import json

import pytest

from router.errors import BadRequest
from router.wire import translate

from .translations import calls, chunk, claude, context, gpt, sent, streamed, tool, user


def test_96_one_field_for_the_limit():
    """The output limit has the provider's name; of a Chat caller's two names the newer wins."""
    assert "max_tokens" not in sent(claude(user("x")), "messages", "openai")[0]
    assert sent(claude(user("x")), "messages", "openai")[0]["max_completion_tokens"] == 50
    assert sent(gpt(user("x"), max_tokens=3, max_completion_tokens=5), "chat")[0]["max_tokens"] == 5


@pytest.mark.parametrize(
    ("model", "expected", "losses", "version"),
    [
        ("claude-sonnet-4-5", {"temperature": 1.0}, ["temperature=weakened", "top_p=dropped"], "2023-06-01"),
        ("claude-opus-5", {}, ["temperature=dropped", "top_p=dropped"], "2026-10-21"),
    ],
)
def test_98_sampling(model, expected, losses, version):
    """Sampling parameters are sent where the model takes them, under the API version that still does."""
    ctx = context(model=model)
    body = gpt(user("x"), temperature=1.5, top_p=0.5)
    made = translate.request(json.dumps(body).encode(), "chat", "messages", ctx)
    found = json.loads(made.body)
    assert {name: found[name] for name in ("temperature", "top_p") if name in found} == expected
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == losses
    assert made.headers == {"anthropic-version": version}


def test_99_nothing_is_sent_that_was_not_asked():
    """A request without optional fields is translated without any."""
    assert set(sent(claude(user("x")), "messages")[0]) == {"model", "messages", "max_tokens"}
    assert set(sent(gpt(user("x"), max_tokens=5), "chat")[0]) == {"model", "messages", "max_tokens", "cache_control"}


def test_100_structured_output():
    """A schema is sent as a schema, an object of any form is asked for in words, an impossible format is refused."""
    schema = {"type": "object", "properties": {"a": {}}}
    made, losses = sent(
        claude(user("x"), output_config={"format": {"type": "json_schema", "schema": schema}}), "messages"
    )
    assert made["response_format"]["json_schema"] == {"name": "output", "schema": schema, "strict": False}
    assert losses == ["output_config.format=weakened"]
    form = {"type": "json_schema", "schema": schema}
    with pytest.raises(BadRequest, match=r"output_format: "):
        sent(claude(user("x"), output_format=form), "messages", "deepseek")
    made, losses = sent(gpt(user("x"), response_format={"type": "json_object"}), "chat")
    assert "JSON object" in made["system"][0]["text"]
    assert losses == ["response_format=weakened"]


@pytest.mark.parametrize(
    "arguments", ['{"b": 1.0, "a": 123456789012345678901234567890, "c": "\\u00e9", "b": 2}', "{ }"]
)
def test_101_arguments_keep_their_bytes(arguments):
    """Key order, number forms, escapes and doubled keys of arguments stay, so that the upstream's cache hits."""
    ctx = context()
    body = gpt(user("x"), calls(("a", "f", arguments)), tool("a"))
    made = translate.request(json.dumps(body).encode(), "chat", "messages", ctx).body
    assert f'"input":{arguments}'.encode() in made


def test_102_user_ids_do_not_leave():
    """User ids, which hold account ids in Claude Code, are hashed where the backend has a field for them."""
    made, losses = sent(claude(user("x"), metadata={"user_id": "user_1_account_2"}), "messages", "openai")
    assert len(made["safety_identifier"]) == 64
    assert losses == ["metadata.user_id=weakened"]


def test_103_answers_name_the_model_that_was_asked():
    """An answer names the requested model, since clients compare the two."""
    assert b'"model":"asked"' in streamed([chunk({"content": "x"})], "chat")
